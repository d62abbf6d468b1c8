"""A round engine with a clock, and short words for events and actions."""

from dataclasses import dataclass, field

from tests.zfed.rounds.journal import Journal
from zfed.config import EvaluateConfig, RunConfig, SelectConfig
from zfed.engine import (
    Action,
    AskModel,
    AskTrain,
    Commit,
    EndRun,
    EvaluationDone,
    Event,
    Folded,
    ModelLoaded,
    NodeGone,
    NodeReadiness,
    NodeReady,
    Tell,
    Tick,
    UpdateStaged,
    UpdateUnfit,
    VersionCommitted,
    WorkFailed,
)
from zfed.errors import Flaw
from zfed.rounds import Rounds, Schedule
from zfed.strategies import Needs
from zfed.wire.messages import AssignmentId

SILENT = EvaluateConfig(first=False, every=0, last=False)
"""Nothing is evaluated."""

WHOLE_COHORT = Schedule()
NOTHING_NEEDED = Needs()

SETTINGS = {
    "rounds": 2,
    "wait_for": "2",
    "wait_timeout_s": 60.0,
    "round_timeout_s": 100.0,
    "rejoin_grace_s": 10.0,
    "restart_grace_s": 40.0,
    "round_retries": 1,
}


def ready(node, *, kind="worker", examples=100, **more):
    return NodeReady(node=node, kind=kind, examples=examples, **more)


def readiness(node, unready=""):
    return NodeReadiness(node=node, unready=unready)


def evaluator(node="eva", *, root_examples=True):
    return ready(node, kind="evaluator", held_out=50 if root_examples else 0)


def lost(node):
    return NodeGone(node=node, left=False, reason="silent")


def left(node):
    return NodeGone(node=node, left=True, reason="goodbye")


def staged(node, assignment, *, examples=100, largest=0.5, norm=1.0, **metrics):
    return UpdateStaged(
        node=node,
        assignment=assignment,
        examples=examples,
        steps=3,
        seconds=1.5,
        bytes=40,
        largest=largest,
        norm=norm,
        metrics=metrics,
    )


def unfit(node, assignment, code="not-finite", reason="tensor 'w' is nan", **more):
    return UpdateUnfit(node=node, assignment=assignment, flaw=Flaw(code=code, reason=reason, **more))


def failed(node, assignment, error="ValueError: no"):
    return WorkFailed(node=node, assignment=assignment, error=error, traceback="...")


def evaluated(node, assignment, **metrics):
    return EvaluationDone(node=node, assignment=assignment, examples=10, metrics=metrics)


@dataclass
class Run:
    """One engine. Every call returns the actions that are no `Tell`; `facts` holds what the last one told.

    `begun` is what the engine wanted first. The `journal` keeps what a run directory would; a run that begins
    with one that holds a version goes on from there.
    """

    settings: dict = field(default_factory=dict)
    evaluate: EvaluateConfig = SILENT
    now: float = 0.0
    incarnation: int = 1
    journal: Journal = field(default_factory=Journal)
    facts: list = field(default_factory=list)
    schedule: Schedule = field(default_factory=Schedule)
    needs: Needs = field(default_factory=Needs)
    select: SelectConfig = field(default_factory=SelectConfig)

    def __post_init__(self):
        config = RunConfig(**{**SETTINGS, **self.settings})
        self.engine = Rounds(config, self.evaluate, self.incarnation, self.needs, self.schedule, self.select)
        self.all_facts = []
        point = self.journal.point()
        began = self.engine.start(self.now) if point is None else self.engine.resume(point, self.now)
        self.begun = self.told(self.journal.all(began))

    def restarted(self, *, wrote_commit=False, after=5.0, **settings) -> "Run":
        """The coordinator dies and is started again, `after` seconds later; the clock goes on.

        `wrote_commit`: It dies when the version that is being written is on disk, before it heard of that.
        """
        if wrote_commit:
            self.journal.wrote_commit()
        self.journal.cut(len(self.journal.lines))
        return Run(
            {**self.settings, **settings},
            self.evaluate,
            now=self.now + after,
            incarnation=self.incarnation + 1,
            journal=self.journal,
            schedule=self.schedule,
            needs=self.needs,
            select=self.select,
        )

    def told(self, actions: list[Action]) -> list[Action]:
        self.facts = [action.fact for action in actions if isinstance(action, Tell)]
        self.all_facts += self.facts
        return [action for action in actions if not isinstance(action, Tell)]

    def say(self, *events: Event, at: float | None = None) -> list[Action]:
        self.now = self.now if at is None else at
        actions = []
        for event in events:
            self.journal.write(event)
            answers = isinstance(event, EvaluationDone)
            survey = self.engine.appraisal.surveys.find(event.node, event.assignment) if answers else None
            actions += self.journal.all(self.engine.handle(event, self.now))
            self.journal.write_answer(event, survey)
        return self.told(actions)

    def tick(self, at: float) -> list[Action]:
        return self.say(Tick(), at=at)

    def wake(self) -> list[Action]:
        """Let time pass until the engine wants to be woken."""
        return self.tick(max(self.now, self.engine.next_wake))

    def commit(self, version: int) -> list[Action]:
        return self.say(VersionCommitted(version=version, bytes_down=7, bytes_up=9))

    def answer(self, asked: AskTrain, **more) -> list[Action]:
        """One worker's update: staged and folded, its own model kept; `more` as in `staged`."""
        own_model = f"{asked.node}'s" if asked.evaluated else ""
        return self.say(
            staged(asked.node, asked.assignment, **more),
            Folded(assignment=asked.assignment, own_model=own_model),
        )

    def whole_round(self, orders: dict[str, AskTrain]) -> list[Action]:
        """All answer, and the version is written."""
        version = self.engine.version + 1
        for order in orders.values():
            actions = self.answer(order)
        assert committed_by(actions) == tuple(orders)
        return self.commit(version)

    def standing(self, node: str, assignment: AssignmentId, version: int | None = None) -> str:
        """What an update is to the run; made from the version the run is at, if no other is named."""
        return self.engine.standing(node, assignment, self.engine.version if version is None else version)

    def fact(self, kind):
        [fact] = [fact for fact in self.facts if type(fact) is kind]
        return fact


def of(kind, actions):
    return [action for action in actions if isinstance(action, kind)]


def committed_by(actions) -> tuple[str, ...]:
    """The workers whose updates are to make a version."""
    [commit] = of(Commit, actions)
    return commit.workers


def asked(actions) -> dict[str, AskTrain]:
    """The orders to train, by worker."""
    return {action.node: action for action in of(AskTrain, actions)}


def collecting(
    *names,
    evaluate=SILENT,
    evaluators=(),
    schedule=WHOLE_COHORT,
    needs=NOTHING_NEEDED,
    held_out=0,
    **settings,
):
    """A run whose round 1 is open, and its orders to train."""
    run = Run({"wait_for": str(len(names)), **settings}, evaluate, schedule=schedule, needs=needs)
    for name in evaluators:
        run.say(evaluator(name))
    actions = run.say(*(ready(name, held_out=held_out) for name in names))
    for order in of(AskModel, actions):
        assert order.node == (sorted(evaluators) or sorted(names))[0]
    return run, asked(run.say(ModelLoaded(source="a node")))


def ended(actions) -> EndRun:
    [end] = of(EndRun, actions)
    assert actions[-1] is end
    return end
