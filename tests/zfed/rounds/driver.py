"""A round engine with a clock, and short words for events and actions."""

from dataclasses import dataclass, field

from zfed.config import EvaluateConfig, RunConfig
from zfed.engine import (
    Action,
    AskModel,
    AskTrain,
    EndRun,
    EvaluationDone,
    Event,
    Folded,
    ModelLoaded,
    NodeGone,
    NodeReady,
    Tell,
    Tick,
    UpdateStaged,
    UpdateUnfit,
    VersionCommitted,
    WorkFailed,
)
from zfed.rounds import SyncRounds

SILENT = EvaluateConfig(first=False, every=0, last=False)
"""Nothing is evaluated."""

SETTINGS = {
    "rounds": 2,
    "wait_for": "2",
    "wait_timeout_s": 60.0,
    "round_timeout_s": 100.0,
    "rejoin_grace_s": 10.0,
    "round_retries": 1,
}


def ready(node, *, kind="worker", examples=100):
    return NodeReady(node=node, kind=kind, examples=examples)


def evaluator(node="eva"):
    return ready(node, kind="evaluator")


def lost(node):
    return NodeGone(node=node, left=False, reason="silent")


def left(node):
    return NodeGone(node=node, left=True, reason="goodbye")


def staged(node, assignment, *, examples=100, largest=0.5, **metrics):
    return UpdateStaged(
        node=node,
        assignment=assignment,
        examples=examples,
        steps=3,
        seconds=1.5,
        bytes=40,
        largest=largest,
        metrics=metrics,
    )


def unfit(node, assignment, code="not-finite", reason="tensor 'w' is nan"):
    return UpdateUnfit(node=node, assignment=assignment, code=code, reason=reason)


def failed(node, assignment, error="ValueError: no"):
    return WorkFailed(node=node, assignment=assignment, error=error, traceback="...")


def evaluated(node, assignment, **metrics):
    return EvaluationDone(node=node, assignment=assignment, examples=10, metrics=metrics)


@dataclass
class Run:
    """One engine. Every call returns the actions that are no `Tell`; `facts` holds what the last one told."""

    settings: dict = field(default_factory=dict)
    evaluate: EvaluateConfig = SILENT
    now: float = 0.0
    facts: list = field(default_factory=list)

    def __post_init__(self):
        self.engine = SyncRounds(RunConfig(**{**SETTINGS, **self.settings}), self.evaluate)
        self.all_facts = []
        self.told(self.engine.start(self.now))

    def told(self, actions: list[Action]) -> list[Action]:
        self.facts = [action.fact for action in actions if isinstance(action, Tell)]
        self.all_facts += self.facts
        return [action for action in actions if not isinstance(action, Tell)]

    def say(self, *events: Event, at: float | None = None) -> list[Action]:
        self.now = self.now if at is None else at
        return self.told([action for event in events for action in self.engine.handle(event, self.now)])

    def tick(self, at: float) -> list[Action]:
        return self.say(Tick(), at=at)

    def wake(self) -> list[Action]:
        """Let time pass until the engine wants to be woken."""
        return self.tick(max(self.now, self.engine.next_wake))

    def commit(self, version: int) -> list[Action]:
        return self.say(VersionCommitted(version=version, bytes_down=7, bytes_up=9))

    def answer(self, asked: AskTrain, **more) -> list[Action]:
        """One worker's update: staged and folded; `more` as in `staged`."""
        return self.say(staged(asked.node, asked.assignment, **more), Folded(assignment=asked.assignment))

    def fact(self, kind):
        [fact] = [fact for fact in self.facts if type(fact) is kind]
        return fact


def of(kind, actions):
    return [action for action in actions if isinstance(action, kind)]


def asked(actions) -> dict[str, AskTrain]:
    """The orders to train, by worker."""
    return {action.node: action for action in of(AskTrain, actions)}


def collecting(*names, evaluate=SILENT, evaluators=(), **settings):
    """A run whose round 1 is open, and its orders to train."""
    run = Run({"wait_for": str(len(names)), **settings}, evaluate)
    for name in evaluators:
        run.say(evaluator(name))
    actions = run.say(*(ready(name) for name in names))
    for order in of(AskModel, actions):
        assert order.node == (sorted(evaluators) or sorted(names))[0]
    return run, asked(run.say(ModelLoaded(source="a node")))


def ended(actions) -> EndRun:
    [end] = of(EndRun, actions)
    assert actions[-1] is end
    return end
