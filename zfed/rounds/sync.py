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
    Action,
    Cancel,
    CannotRun,
    Commit,
    CommitFailed,
    EndRun,
    EvaluationDone,
    Event,
    Folded,
    LoadModel,
    ModelLoaded,
    ModelUnusable,
    NodeGone,
    NodeReady,
    Refuse,
    Status,
    StopAsked,
    Tell,
    Tick,
    UpdateStaged,
    UpdateUnfit,
    VersionCommitted,
    WorkFailed,
)
from zfed.facts import (
    RoundOpened,
    RoundRetried,
    TaskFailed,
    Waiting,
)
from zfed.rounds.attempt import Attempt
from zfed.rounds.cohort import Roster, WaitFor
from zfed.rounds.evaluation import FEDERATED, EvaluationDesk
from zfed.rounds.first_model import FirstModel
from zfed.rounds.parts import Part
from zfed.strategies.grid import FIRST_VALUE_RANGE, next_value_range
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
    _tries: int = 0
    _attempt: Attempt | None = None
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
        if self.phase == "collecting" and self._attempt:
            return self._attempt.next_wake(self.config.rejoin_grace_s)
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

    def committed_version(self, node: str) -> int:
        """The version that a node's committed update became part of."""
        return self._committed[node][1]

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
            case UpdateStaged() | UpdateUnfit():
                return self._update_came(event, now)
            case Folded():
                return self._folded(event, now)
            case VersionCommitted():
                return self._version_committed(event, now)
            case CommitFailed():
                what = f"round {self.round} could not be committed" if self.round else "no first model"
                return self._end("failed", f"{what}: {event.reason}")
            case WorkFailed():
                return self._work_failed(event, now)
            case EvaluationDone():
                return [*self.desk.done(event), *self._finish_if_idle(now)]
            case CannotRun():
                return self._end("failed", event.reason)
            case StopAsked() if self.phase == "committing":
                self._stop_reason = event.reason  # the version that is being written shall count
                return []
            case StopAsked():
                return self._end("stopped", event.reason)
            case Tick():
                return self._tick(now)

    def _node_ready(self, event: NodeReady, now: float) -> list[Action]:
        self.roster.add(event)
        if event.kind == "evaluator":
            self._evaluator_seen = True
            actions = self.desk.ask(self.roster.evaluators)
        else:
            collecting = self._attempt if self.phase == "collecting" else None
            actions = collecting.back(event.node) if collecting else []
        if self.phase == "gathering":
            return [*actions, *self._go_on(now)]
        if self.phase == "initializing" and not self._first.node and not self.config.initial:
            return [*actions, *self._ask_model(now)]
        return actions

    def _node_gone(self, event: NodeGone, now: float) -> list[Action]:
        was_here = self.roster.remove(event.node)
        self.desk.gone(event.node)
        if not was_here:
            return []
        if event.node == self._first.node:
            self._first.give_up()
            return self._ask_model(now)
        if self._attempt:
            self._attempt.gone(event.node, left=event.left, now=now)
        return [*self.desk.ask(self.roster.evaluators), *self._close_if_due(now)]

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
        lacking = self._needed - self.roster.worker_count
        return f"{lacking} more worker{'s' if lacking > 1 else ''} for round {self.round}"

    # ---- before round 1 -------------------------------------------------------------------------

    def start(self, now: float) -> list[Action]:
        """Begin to wait for workers."""
        self._deadline = now + self.config.wait_timeout_s
        return self._notice(now)

    def _go_on(self, now: float) -> list[Action]:
        """Leave gathering if everybody awaited is here."""
        if self.round > 0:
            return self._open_round(now) if self.roster.worker_count >= self._needed else []
        if self._wait_for.missing(self.roster) or not self.roster.worker_count:
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
        return self._end("failed", self._first.failure()) if self.roster else []

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
        self._tries = 1
        return self._open_or_gather(now)

    def _open_or_gather(self, now: float) -> list[Action]:
        if self.roster.worker_count >= self._needed:
            return self._open_round(now)
        self.phase = "gathering"
        self._attempt = None
        self._deadline = now + self.config.round_timeout_s
        self._next_notice = now
        return self._notice(now)

    def _open_round(self, now: float) -> list[Action]:
        self.phase = "collecting"
        self._attempt = Attempt(
            round=self.round,
            number=self._tries,
            version=self.version,
            equal_weights=self.config.weighting == "equal",
            own_models=self._own_models_wanted,
            opened_at=now,
            deadline=now + self.config.round_timeout_s,
        )
        for worker in self.roster.workers:
            self._attempt.add(worker, self._new_assignment())
        fact = RoundOpened(
            round=self.round,
            rounds=self.config.rounds,
            version=self.version,
            cohort=[worker.node for worker in self.roster.workers],
            attempt=self._tries,
        )
        return [*self._attempt.open(self.config.value_range or self._value_range), Tell(fact=fact)]

    @property
    def _own_models_wanted(self) -> bool:
        return self.evaluate.workers and self.evaluate.wanted(self.round, self.config.rounds)

    def _part(self, node: str, assignment: AssignmentId) -> Part | None:
        return self._attempt.find(node, assignment) if self._attempt else None

    def _update_came(self, event: UpdateStaged | UpdateUnfit, now: float) -> list[Action]:
        if isinstance(event, UpdateUnfit) and self._first.is_asked(event.node, event.assignment):
            return [self._refusal(event, event.code, event.reason), *self._model_refused(event.reason, now)]
        part = self._part(event.node, event.assignment)
        if self._attempt is None or part is None or part.state == "out":
            return [self._refusal(event, "stale", self.stale_reason(event.assignment))]
        if isinstance(event, UpdateStaged):
            actions = self._attempt.take(part, event)
        else:
            actions = self._attempt.refuse(part, event.code, event.reason)
        return [*actions, *self._close_if_due(now)]

    def _refusal(self, of: UpdateStaged | UpdateUnfit, code: str, reason: str) -> Action:
        return Refuse(node=of.node, assignment=of.assignment, code=code, reason=reason)

    def _folded(self, event: Folded, now: float) -> list[Action]:
        if self._attempt:
            self._attempt.folded(event.assignment)
        return self._close_if_due(now)

    def _work_failed(self, event: WorkFailed, now: float) -> list[Action]:
        if self.desk.is_asked(event.node, event.assignment):
            told = self._task_failed(event, self.desk.owed[event.assignment].round, "evaluate")
            skipped = self.desk.failed(event.node, event.assignment, event.error)
            return [told, *skipped, *self._finish_if_idle(now)]
        if self._first.is_asked(event.node, event.assignment):
            return [self._task_failed(event, 0, "initialize"), *self._model_refused(event.error, now)]
        part = self._part(event.node, event.assignment)
        if self._attempt is None or part is None or part.state != "asked":
            return []
        self._attempt.drop(part, f"its task failed: {event.error}")
        return [self._task_failed(event, self.round, "train"), *self._close_if_due(now)]

    def _task_failed(self, event: WorkFailed, round: int, work: str) -> Action:
        fact = TaskFailed(
            node=event.node, round=round, work=work, error=event.error, traceback=event.traceback
        )
        return Tell(fact=fact)

    def stale_reason(self, assignment: AssignmentId) -> str:
        """Why an update that is not wanted is refused."""
        number = ".".join(map(str, assignment))
        at = f"the run is at version {self.version}, round {self.round}"
        return f"stale: assignment {number} is not open any more; {at}"

    def _close_if_due(self, now: float) -> list[Action]:
        if self.phase != "collecting" or self._attempt is None:
            return []
        actions = self._attempt.expire(now, self.config.rejoin_grace_s)
        if not self._attempt.settled:
            return actions
        counted = [part.node for part in self._attempt.in_state("counted")]
        if len(counted) < self._needed:
            return [*actions, *self._retry(counted, self._attempt.missing(), now)]
        self.phase = "committing"
        return [*actions, Commit(round=self.round, version=self.version + 1, workers=tuple(counted))]

    def _retry(self, answered: list[str], missing: list[str], now: float) -> list[Action]:
        if self._tries > self.config.round_retries:
            times = f"{self._tries} time{'s' if self._tries > 1 else ''}"
            reason = (
                f"round {self.round} was tried {times} and got too few updates: {len(answered)} of at least "
                f"{self._needed}; missing: {', '.join(missing) or 'nobody'}. "
                "See --min-workers, --round-timeout, --round-retries"
            )
            return self._end("failed", reason)
        told = Tell(
            fact=RoundRetried(
                round=self.round,
                attempt=self._tries,
                attempts=self.config.round_retries + 1,
                answered=answered,
                missing=missing,
                needed=self._needed,
            )
        )
        self._tries += 1
        return [told, *self._open_or_gather(now)]

    def _version_committed(self, event: VersionCommitted, now: float) -> list[Action]:
        attempt = self._attempt
        if self.phase != "committing" or attempt is None:
            return []
        self._attempt = None
        counted = attempt.in_state("counted")
        self.version = event.version
        self._value_range = next_value_range(attempt.largest, self._value_range)
        # A worker that missed COMMITTED offers its last update again, perhaps rounds later.
        self._committed.update((part.node, (part.assignment, self.version)) for part in counted)
        actions: list[Action] = [
            *attempt.tell_committed(),
            Tell(fact=attempt.committed(event, rounds=self.config.rounds, now=now)),
        ]
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
        subjects = [*workers, FEDERATED] if self._own_models_wanted else [FEDERATED]
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
