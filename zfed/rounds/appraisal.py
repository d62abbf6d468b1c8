"""All evaluations of a run: which a version wants, what comes of them, and what follows for the run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from zfed.config import EvaluateConfig
from zfed.engine import (
    Action,
    AskEvaluate,
    EvaluationDone,
    Event,
    NodeReady,
    OwedEvaluation,
    ResumePoint,
    Tell,
    WorkFailed,
)
from zfed.facts import Evaluated, EvaluationSkipped, WorkersEvaluated
from zfed.rounds.cohort import Roster
from zfed.rounds.evaluation import FEDERATED, WORKERS, EvaluationDesk
from zfed.rounds.merging import Merging
from zfed.rounds.parts import Part
from zfed.rounds.surveys import Surveys
from zfed.rounds.watch import Watch
from zfed.wire.messages import AssignmentId


class Appraisal:
    """What the evaluator owes, what the workers do, and the metric that is watched.

    Args:
        config: Table `[evaluate]`.
        rounds: Of the run.
        grace_s: How long a lost worker is waited for.
        number: Draws the number of an order.

    Attributes:
        desk: Evaluations by the evaluator.
        surveys: Evaluations by the workers.
        watch: Decides which version is best, and when there is no hope for a better one.
        merging: By which rules metrics of many workers become one.
    """

    def __init__(
        self, config: EvaluateConfig, rounds: int, grace_s: float, number: Callable[[], AssignmentId]
    ) -> None:
        self._config = config
        self._rounds = rounds
        self._number = number
        self.merging = Merging()
        self.watch = Watch(config)
        self.desk = EvaluationDesk(validation=self.watch.heeds(FEDERATED))
        self.surveys = Surveys(
            merging=self.merging,
            grace_s=grace_s,
            timeout_s=config.timeout_s,
            validation=self.watch.heeds(WORKERS),
            higher={self.watch.metric: self.watch.higher},
        )

    @property
    def awaited_count(self) -> int:
        """How many answers are awaited."""
        return len(self.desk.owed) + self.surveys.awaited_count

    @property
    def any_done(self) -> bool:
        """Whether any evaluation ever came back."""
        return self.desk.any_done or self.surveys.any_done

    @property
    def versions(self) -> list[int]:
        """The versions that are still to be evaluated."""
        return [*(owed.version for owed in self.desk.owed.values()), *self.surveys.versions]

    def awaited(self, node: str) -> list[AskEvaluate]:
        """The orders that a node has not answered yet."""
        asked = (ask for ask in self.desk.awaited(node) if isinstance(ask, AskEvaluate))
        return [*asked, *self.surveys.awaited(node)]

    # ---- what is wanted of a version ------------------------------------------------------------

    def own_models(self, round: int) -> bool:
        """Whether the workers' own models of this round are to be evaluated, too."""
        return self._config.workers and self._config.wanted(round, self._rounds)

    def wanted(
        self, round: int, version: int, counted: Sequence[Part], workers: Iterable[NodeReady]
    ) -> tuple[tuple[OwedEvaluation, ...], list[Action]]:
        """What is to be evaluated of a round, and what there is to say of what cannot be.

        Args:
            round: It.
            version: That it makes.
            counted: The parts it is made of.
            workers: Those that may be asked.
        """
        if not self._config.wanted(round, self._rounds):
            return (), []
        subjects = [("", FEDERATED, "")] if self._config.by_evaluator else []
        lost: dict[str, str] = {}
        if self._config.by_evaluator and self.own_models(round):
            own = [("", part.node, part.own_model) for part in counted]
            subjects = [*(each for each in own if each[2]), *subjects]
            lost = {node: "the worker's own model could not be kept" for _, node, model in own if not model}
        if self._config.by_workers:
            held_out = [(worker.node, WORKERS, "") for worker in workers if worker.held_out]
            if not held_out:
                lost[WORKERS] = "no worker that may be asked has held examples out: see --holdout of workers"
            subjects = [*subjects, *held_out]
        owed = [
            OwedEvaluation(
                assignment=self._number(),
                round=round,
                version=version,
                subject=subject,
                own_model=model,
                worker=worker,
            )
            for worker, subject, model in subjects
        ]
        skipped = [
            Tell(fact=EvaluationSkipped(round=round, subject=subject, reason=reason))
            for subject, reason in lost.items()
        ]
        return tuple(owed), [*skipped]

    def ask_evaluator(self, evaluations: Iterable[OwedEvaluation], roster: Roster) -> list[Action]:
        """Ask for what an evaluator owes of a version that is there now."""
        central = [owed for owed in evaluations if not owed.worker]
        return [*self.desk.owe(central), *self.desk.ask(roster.evaluators)]

    def ask_workers(self, evaluations: Iterable[OwedEvaluation], roster: Roster, now: float) -> list[Action]:
        """Ask for what workers owe of a version that is there now."""
        return self._seen(self.surveys.begin((owed for owed in evaluations if owed.worker), roster, now))

    def restore(self, point: ResumePoint, now: float, grace_until: float) -> list[Action]:
        """Go on where a run stands: what was found decides as it did, what was asked is still wanted."""
        self.desk.owed.update((owed.assignment, owed) for owed in point.owed if not owed.worker)
        self.desk.any_done = point.evaluated
        for past in point.evaluations:
            if self.watch.heeds(past.subject):
                self.watch.see(past.round, past.version, past.metrics)
        asked = [owed for owed in point.owed if owed.worker]
        return self._seen(self.surveys.restore(asked, point.answers, now, grace_until))

    # ---- what comes of it -----------------------------------------------------------------------

    def take(self, event: Event, roster: Roster, now: float) -> list[Action]:
        """Do what follows from an event for the evaluations by workers."""
        return self._seen(self.surveys.take(event, roster, now))

    def done(self, event: EvaluationDone) -> list[Action]:
        """An evaluator answered."""
        return self._seen(self.desk.done(event))

    def failed(self, event: WorkFailed) -> list[Action]:
        """The task of an evaluator raised."""
        return self.desk.failed(event.node, event.assignment, event.error)

    def give_up(self, reason: str) -> list[Action]:
        """End all with what there is."""
        return [*self.desk.skip(None, reason), *self._seen(self.surveys.give_up(reason))]

    def reason_to_stop(self, version: int) -> str:
        """Why the run, which is at this version, should end; empty if it should not."""
        return self.watch.reason_to_stop(version)

    def _seen(self, actions: list[Action]) -> list[Action]:
        """The same actions, once the watch has seen what they tell, and what it has to say of that."""
        facts = [action.fact for action in actions if isinstance(action, Tell)]
        blind = [
            Tell(fact=nothing)
            for fact in facts
            if isinstance(fact, Evaluated | WorkersEvaluated) and (nothing := self.watch.look(fact))
        ]
        return [*actions, *blind]
