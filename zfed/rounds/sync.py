"""Synchronous rounds: the whole cohort is asked, and waited for until the deadline.

    gathering --all awaited are here--> initializing --model 0 on disk--> collecting
    collecting --the cohort answered, or its time is over--> committing
    committing --on disk--> collecting (the next round), or after the last one finishing --> ended
    collecting --too few updates--> collecting again, or gathering while too few workers are present

A round that gets fewer updates than `min_workers` commits nothing. It is opened again with an empty
accumulator, for whoever is present then; a worker that still holds its update for that version offers it
again instead of training.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from zfed.config import EvaluateConfig, RunConfig
from zfed.engine import (
    Accept,
    Action,
    AskTrain,
    Cancel,
    Commit,
    CommitFailed,
    EndRun,
    EvaluationDone,
    Event,
    Fold,
    Folded,
    LoadModel,
    ModelLoaded,
    ModelUnusable,
    NodeGone,
    NodeReady,
    OpenRound,
    Refuse,
    Status,
    StopAsked,
    Tell,
    TellCommitted,
    Tick,
    UpdateStaged,
    UpdateUnfit,
    VersionCommitted,
    WorkFailed,
)
from zfed.facts import (
    RoundCommitted,
    RoundOpened,
    RoundRetried,
    TaskFailed,
    UpdateAccepted,
    UpdateRefused,
    Waiting,
)
from zfed.rounds.cohort import Roster, WaitFor
from zfed.rounds.evaluation import FEDERATED, EvaluationDesk
from zfed.rounds.first_model import FirstModel
from zfed.rounds.parts import OpenParts, Part, merged_metrics, per_worker, shares
from zfed.strategies.grid import FIRST_VALUE_RANGE, choose_grid, next_value_range
from zfed.wire.messages import AssignmentId

NOTICE_S = 5.0
"""How often whoever watches is told for whom a standing run waits."""

Standing = Literal["wanted", "accepted", "committed", "stale"]


@dataclass
class SyncRounds:
    """The synchronous round engine of one run.

    Args:
        config: Table `[run]`.
        evaluate: Table `[evaluate]`.
        incarnation: Number of this coordinator start; together with a counter it numbers all assignments.
    """

    config: RunConfig
    evaluate: EvaluateConfig
    incarnation: int = 1

    roster: Roster = field(default_factory=Roster)
    desk: EvaluationDesk = field(default_factory=EvaluationDesk)
    phase: Literal["gathering", "initializing", "collecting", "committing", "finishing", "ended"] = (
        "gathering"
    )
    version: int = -1
    round: int = 0
    _attempt: int = 0
    _open: OpenParts | None = None
    _first: FirstModel = field(default_factory=FirstModel)
    _committed: dict[str, tuple[AssignmentId, int]] = field(default_factory=dict)
    _value_range: float = FIRST_VALUE_RANGE
    _deadline: float | None = None
    _next_notice: float = 0.0
    _counter: int = 0
    _evaluator_seen: bool = False
    _stop_reason: str = ""

    def __post_init__(self) -> None:
        self._wait_for = WaitFor.parse(self.config.wait_for)

    # ---- what others may ask --------------------------------------------------------------------

    @property
    def next_wake(self) -> float | None:
        """When a `Tick` has something to do."""
        if self.phase == "collecting" and self._open:
            return self._open.next_wake(self.config.rejoin_grace_s)
        if self.phase in ("gathering", "initializing", "finishing") and self._deadline is not None:
            return min(self._deadline, self._next_notice)
        return None

    def standing(self, node: str, assignment: AssignmentId) -> Standing:
        """What an offered update is to this run now; only a wanted one is worth receiving."""
        if node in self._committed and self._committed[node][0] == assignment:
            return "committed"
        if self._first.is_asked(node, assignment):
            return "wanted"
        part = self._part(node, assignment)
        if part is None or part.state == "out":
            return "stale"
        return "wanted" if part.state == "asked" else "accepted"

    def committed_version(self, assignment: AssignmentId) -> int:
        """The version that a committed assignment's update became part of."""
        return next(version for number, version in self._committed.values() if number == assignment)

    # ---- events ---------------------------------------------------------------------------------

    def handle(self, event: Event, now: float) -> list[Action]:
        """Take an event; return what is to be done, in this order."""
        if self.phase == "ended":
            return []
        match event:
            case NodeReady():
                return self._node_ready(event, now)
            case NodeGone():
                return self._node_gone(event, now)
            case ModelLoaded():
                return self._model_loaded(now)
            case ModelUnusable():
                return self._model_unusable(event, now)
            case UpdateStaged():
                return self._update_staged(event, now)
            case UpdateUnfit():
                return self._update_unfit(event, now)
            case Folded():
                return self._folded(event, now)
            case VersionCommitted():
                return self._version_committed(event, now)
            case CommitFailed():
                return self._end("failed", f"round {self.round} could not be committed: {event.reason}")
            case WorkFailed():
                return self._work_failed(event, now)
            case EvaluationDone():
                return [*self.desk.done(event), *self._finish_if_idle(now)]
            case StopAsked() if self.phase == "committing":
                self._stop_reason = event.reason  # the version that is being written shall count
                return []
            case StopAsked():
                return self._end("stopped", event.reason)
            case Tick():
                return self._tick(now)

    def _node_ready(self, event: NodeReady, now: float) -> list[Action]:
        self.roster.present[event.node] = event
        if event.kind == "evaluator":
            self._evaluator_seen = True
            actions = self.desk.ask(self.roster.evaluators)
        else:
            actions = self._ask_again(event.node)
        if self.phase == "gathering":
            return [*actions, *self._go_on(now)]
        if self.phase == "initializing" and not self._first.node and not self.config.initial:
            return [*actions, *self._ask_model(now)]
        return actions

    def _node_gone(self, event: NodeGone, now: float) -> list[Action]:
        node = self.roster.present.pop(event.node, None)
        self.desk.gone(event.node)
        if node is None:
            return []
        if event.node == self._first.node:
            self._first.give_up()
            return self._ask_model(now)
        part = self._open.of_node(event.node) if self._open else None
        if part and part.state == "asked":
            part.lost_at = now
            if event.left:
                part.drop("left")
            return self._close_if_due(now)
        return self.desk.ask(self.roster.evaluators)

    def _tick(self, now: float) -> list[Action]:
        if self.phase == "collecting":
            return self._close_if_due(now)
        if self._deadline is None or self.phase == "committing":
            return []
        if now >= self._deadline:
            return self._deadline_passed(now)
        return self._notice(now)

    def _deadline_passed(self, now: float) -> list[Action]:
        if self.phase == "finishing":
            reason = f"no answer within {self.evaluate.timeout_s:g} s after the last round"
            return [*self.desk.skip(None, reason), *self._finish_if_idle(now)]
        if self.phase == "initializing":
            return self._model_overdue(now)
        if self.round == 0:
            what = f"waited {self.config.wait_timeout_s:g} s for {self._missing()}"
            return self._end("failed", f"{what}; see --wait-for and --wait-timeout")
        return self._retry([], [self._missing()], now)

    def _notice(self, now: float) -> list[Action]:
        if now < self._next_notice or self._deadline is None:
            return []
        self._next_notice = now + NOTICE_S
        return [Tell(fact=Waiting(missing=self._missing(), remaining_s=self._deadline - now))]

    def _missing(self) -> str:
        if self.phase == "finishing":
            owed = len(self.desk.owed)
            return f"{owed} evaluation{'s' if owed > 1 else ''}"
        if self.phase == "initializing":
            return f"the first model from {self._first.node or 'any node'}"
        if self.round == 0:
            return self._wait_for.missing(self.roster)
        lacking = self._needed - len(self.roster.workers)
        return f"{lacking} more worker{'s' if lacking > 1 else ''} for round {self.round}"

    # ---- before round 1 -------------------------------------------------------------------------

    def start(self, now: float) -> list[Action]:
        """Begin to wait for workers."""
        self._deadline = now + self.config.wait_timeout_s
        return self._notice(now)

    def _go_on(self, now: float) -> list[Action]:
        """Leave gathering if everybody awaited is here."""
        if self.round > 0:
            return self._open_round(now) if len(self.roster.workers) >= self._needed else []
        if self._wait_for.missing(self.roster) or not self.roster.workers:
            return []
        self.phase = "initializing"
        if self.config.initial:
            self._deadline = None  # a disk answers, sooner or later
            return [LoadModel()]
        return self._ask_model(now)

    def _ask_model(self, now: float) -> list[Action]:
        """Ask the next candidate; if nobody is here, whoever comes first will be asked."""
        self._deadline = now + self.config.round_timeout_s
        candidate = self._first.candidate(self.roster)
        if candidate:
            return [self._first.ask(candidate, self._new_assignment())]
        return self._end("failed", self._first.failure()) if self.roster.present else []

    def _model_refused(self, reason: str, now: float) -> list[Action]:
        self._first.refused(reason)
        return self._ask_model(now)

    def _model_unusable(self, event: ModelUnusable, now: float) -> list[Action]:
        if self.phase != "initializing":
            return []
        if not event.node:
            return self._end("failed", event.reason)
        return self._model_refused(event.reason, now) if event.node == self._first.node else []

    def _model_overdue(self, now: float) -> list[Action]:
        node, reason = self._first.node, "no answer in time"
        assignment = self._first.give_up()
        if assignment is None:
            return self._end("failed", self._first.failure())
        self._first.refusals[node] = reason
        return [Cancel(node=node, assignment=assignment, reason=reason), *self._ask_model(now)]

    def _model_loaded(self, now: float) -> list[Action]:
        if self.phase != "initializing":
            return []
        self._first.give_up()
        self.version = 0
        return self._next_round(now)

    # ---- a round --------------------------------------------------------------------------------

    @property
    def _needed(self) -> int:
        return max(1, self.config.min_workers)

    def _next_round(self, now: float) -> list[Action]:
        self.round += 1
        self._attempt = 1
        return self._open_or_gather(now)

    def _open_or_gather(self, now: float) -> list[Action]:
        if len(self.roster.workers) >= self._needed:
            return self._open_round(now)
        self.phase = "gathering"
        self._open = None
        self._deadline = now + self.config.round_timeout_s
        self._next_notice = now
        return self._notice(now)

    def _open_round(self, now: float) -> list[Action]:
        parts = [
            Part(node=worker.node, assignment=self._new_assignment(), declared=worker.examples)
            for worker in self.roster.workers
        ]
        self.phase = "collecting"
        self._open = OpenParts(
            round=self.round,
            attempt=self._attempt,
            opened_at=now,
            deadline=now + self.config.round_timeout_s,
            parts={part.assignment: part for part in parts},
        )
        cohort = tuple(part.node for part in parts)
        opened = OpenRound(
            round=self.round,
            attempt=self._attempt,
            version=self.version,
            cohort=cohort,
            assignments=tuple(part.assignment for part in parts),
            grid=choose_grid([self._weight(part.declared) for part in parts], self._current_range),
            value_range=self._current_range,
        )
        fact = RoundOpened(
            round=self.round,
            rounds=self.config.rounds,
            version=self.version,
            cohort=list(cohort),
            attempt=self._attempt,
        )
        return [opened, Tell(fact=fact), *(self._ask_train(part) for part in parts)]

    @property
    def _current_range(self) -> float:
        return self.config.value_range or self._value_range

    def _weight(self, examples: int) -> float:
        return 1.0 if self.config.weighting == "equal" else float(max(examples, 1))

    def _ask_train(self, part: Part) -> Action:
        return AskTrain(
            node=part.node,
            assignment=part.assignment,
            round=self.round,
            version=self.version,
            evaluated=self._keeps_updates,
        )

    @property
    def _keeps_updates(self) -> bool:
        return self.evaluate.workers and self.evaluate.wanted(self.round, self.config.rounds)

    def _ask_again(self, node: str) -> list[Action]:
        """A worker is back: its part, if still awaited, is asked again under the same assignment."""
        part = self._open.of_node(node) if self._open and self.phase == "collecting" else None
        if part is None or part.state != "asked":
            return []
        part.lost_at = None
        return [self._ask_train(part)]

    def _update_staged(self, event: UpdateStaged, now: float) -> list[Action]:
        part = self._part(event.node, event.assignment)
        if part is None or part.state == "out":
            return [self._refusal(event, "stale", self.stale_reason(event.assignment))]
        if part.state != "asked":
            return [Accept(node=event.node, assignment=event.assignment)]
        if event.examples > part.declared:
            # The round's grid was chosen for the declared weights: more would not be summed exactly.
            reason = f"claims {event.examples} examples, {part.declared} were declared when the round opened"
            return self._drop_part(part, "examples", reason, now)
        part.state = "folding"
        part.result = event
        part.weight = self._weight(event.examples)
        accepted = UpdateAccepted(
            node=event.node,
            round=self.round,
            examples=event.examples,
            steps=event.steps,
            seconds=event.seconds,
            bytes=event.bytes,
            metrics=event.metrics,
        )
        fold = Fold(
            node=part.node,
            assignment=part.assignment,
            round=self.round,
            weight=part.weight,
            keep=self._keeps_updates,
        )
        return [Accept(node=event.node, assignment=event.assignment), fold, Tell(fact=accepted)]

    def _folded(self, event: Folded, now: float) -> list[Action]:
        part = self._open.parts.get(event.assignment) if self._open else None
        if part is None or part.state != "folding":
            return []
        part.state = "counted"
        return self._close_if_due(now)

    def _work_failed(self, event: WorkFailed, now: float) -> list[Action]:
        if self.desk.is_asked(event.node, event.assignment):
            told = self._task_failed(event, self.desk.owed[event.assignment].round, "evaluate")
            skipped = self.desk.failed(event.node, event.assignment, event.error)
            return [told, *skipped, *self._finish_if_idle(now)]
        if self._first.is_asked(event.node, event.assignment):
            return [self._task_failed(event, 0, "initialize"), *self._model_refused(event.error, now)]
        part = self._part(event.node, event.assignment)
        if part is None or part.state != "asked":
            return []
        part.drop(f"its task failed: {event.error}")
        return [self._task_failed(event, self.round, "train"), *self._close_if_due(now)]

    def _task_failed(self, event: WorkFailed, round: int, work: str) -> Action:
        fact = TaskFailed(
            node=event.node, round=round, work=work, error=event.error, traceback=event.traceback
        )
        return Tell(fact=fact)

    def _update_unfit(self, event: UpdateUnfit, now: float) -> list[Action]:
        if self._first.is_asked(event.node, event.assignment):
            refusal = self._refusal(event, event.code, event.reason)
            return [refusal, *self._model_refused(event.reason, now)]
        part = self._part(event.node, event.assignment)
        if part is None or part.state == "out":
            return [self._refusal(event, "stale", self.stale_reason(event.assignment))]
        return self._drop_part(part, event.code, event.reason, now) if part.state == "asked" else []

    def _drop_part(self, part: Part, code: str, reason: str, now: float) -> list[Action]:
        part.drop(f"refused: {reason}")
        where = f"update of {part.node} in round {self.round} refused: {reason}"
        told = Tell(fact=UpdateRefused(node=part.node, round=self.round, code=code, reason=where))
        return [self._refusal(part, code, where), told, *self._close_if_due(now)]

    def _refusal(self, of: Part | UpdateStaged | UpdateUnfit, code: str, reason: str) -> Action:
        return Refuse(node=of.node, assignment=of.assignment, code=code, reason=reason)

    def stale_reason(self, assignment: AssignmentId) -> str:
        """Why an update that is not wanted is refused."""
        number = ".".join(map(str, assignment))
        at = f"the run is at version {self.version}, round {self.round}"
        return f"stale: assignment {number} is not open any more; {at}"

    def _part(self, node: str, assignment: AssignmentId) -> Part | None:
        return self._open.find(node, assignment) if self._open else None

    def _close_if_due(self, now: float) -> list[Action]:
        if self.phase != "collecting" or self._open is None:
            return []
        dropped = self._open.expire(now, self.config.rejoin_grace_s)
        actions: list[Action] = [
            Cancel(
                node=part.node, assignment=part.assignment, reason=f"round {self.round} is closed: {part.why}"
            )
            for part in dropped
        ]
        if self._open.in_state("asked") or self._open.in_state("folding"):
            return actions
        counted = self._open.in_state("counted")
        if len(counted) < self._needed:
            answered = [part.node for part in counted]
            return [*actions, *self._retry(answered, self._open.missing(), now)]
        self.phase = "committing"
        commit = Commit(
            round=self.round,
            version=self.version + 1,
            workers=tuple(part.node for part in counted),
        )
        return [*actions, commit]

    def _retry(self, answered: list[str], missing: list[str], now: float) -> list[Action]:
        if self._attempt > self.config.round_retries:
            times = f"{self._attempt} time{'s' if self._attempt > 1 else ''}"
            reason = (
                f"round {self.round} was tried {times} and got too few updates: {len(answered)} of at least "
                f"{self._needed}; missing: {', '.join(missing) or 'nobody'}. "
                "See --min-workers, --round-timeout, --round-retries"
            )
            return self._end("failed", reason)
        told = Tell(
            fact=RoundRetried(
                round=self.round,
                attempt=self._attempt,
                attempts=self.config.round_retries + 1,
                answered=answered,
                missing=missing,
                needed=self._needed,
            )
        )
        self._attempt += 1
        return [told, *self._open_or_gather(now)]

    def _version_committed(self, event: VersionCommitted, now: float) -> list[Action]:
        if self.phase != "committing" or self._open is None:
            return []
        counted = self._open.in_state("counted")
        self.version = event.version
        self._value_range = next_value_range(event.largest_delta, self._value_range)
        fact = RoundCommitted(
            round=self.round,
            rounds=self.config.rounds,
            version=self.version,
            seconds=now - self._open.opened_at,
            bytes_down=event.bytes_down,
            bytes_up=event.bytes_up,
            workers=[part.node for part in counted],
            weights=shares(counted),
            missing=self._open.missing(),
            train=merged_metrics(counted),
            per_worker=per_worker(counted),
        )
        # A worker that missed COMMITTED offers its last update again, perhaps rounds later.
        self._committed.update((part.node, (part.assignment, self.version)) for part in counted)
        actions: list[Action] = [
            *(
                TellCommitted(node=part.node, assignment=part.assignment, version=self.version)
                for part in counted
            ),
            Tell(fact=fact),
        ]
        self._open = None
        if self._stop_reason:
            return [*actions, *self._end("stopped", self._stop_reason)]
        actions += self._owe_evaluations([part.node for part in counted])
        if self.round < self.config.rounds:
            return [*actions, *self._next_round(now)]
        self.phase = "finishing"
        self._deadline = now + self.evaluate.timeout_s
        self._next_notice = now + NOTICE_S
        return [*actions, *self._finish_if_idle(now)]

    def _owe_evaluations(self, workers: list[str]) -> list[Action]:
        if not self.evaluate.wanted(self.round, self.config.rounds):
            return []
        subjects = [*workers, FEDERATED] if self._keeps_updates else [FEDERATED]
        numbered = {subject: self._new_assignment() for subject in subjects}
        dropped = self.desk.owe(self.round, self.version, numbered)
        return [*dropped, *self.desk.ask(self.roster.evaluators)]

    # ---- the end --------------------------------------------------------------------------------

    def _finish_if_idle(self, now: float) -> list[Action]:
        if self.phase != "finishing":
            return []
        actions: list[Action] = []
        if not self._evaluator_seen:
            actions = self.desk.skip(None, "no evaluator took part")
        if self.desk.owed:
            return actions
        return [*actions, *self._end("completed", "")]

    def _end(self, status: Status, reason: str) -> list[Action]:
        self.phase = "ended"
        ended = EndRun(
            status=status,
            reason=reason,
            rounds_done=max(self.version, 0),
            version=max(self.version, 0),
            evaluated=self.desk.any_done,
        )
        return [ended]

    def _new_assignment(self) -> AssignmentId:
        self._counter += 1
        return (self.incarnation, self._counter)
