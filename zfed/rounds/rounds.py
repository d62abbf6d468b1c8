"""The round engine: workers are asked, as many updates as the schedule wants become a version, and so on.

    gathering --all awaited are here--> initializing --model 0 on disk--> collecting
    collecting --as many answered as the schedule wants, or their time is over--> committing
    committing --on disk--> collecting (the next round), or after the last one finishing --> ended
    committing --no room on the disk--> committing again, a while later
    collecting --too few updates--> collecting again, or gathering while too few workers are present
    resumed --> collecting (the attempt that was open), gathering, or finishing

A round that gets fewer updates than `min_workers` commits nothing. It is opened again with an empty
accumulator, for whoever is present then; a worker that still holds its update for that version offers it
again instead of training.

Where the schedule carries work on (`Schedule.carries`), whoever has not answered when a round closes goes on,
and its update counts in the round that is open when it comes, as one that is so many versions behind. A
worker is asked again once the version that holds its update is there: until then there is nothing newer to
start from, or its next update would be its second in the same version.

A run that is resumed has only what its last commit wrote. An attempt that was open is opened again, with the
same cohort and the same assignments; the workers still hold what they made for it, or are at work.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from zfed.config import EvaluateConfig, RunConfig, SelectConfig
from zfed.engine import (
    Action,
    Ask,
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
    NodeReadiness,
    NodeReady,
    OfferStale,
    OpenAttempt,
    OpenPart,
    Refuse,
    ResumePoint,
    Status,
    StopAsked,
    Tell,
    Tick,
    UpdateStaged,
    UpdateUnfit,
    VersionCommitted,
    WorkFailed,
)
from zfed.errors import ConfigError
from zfed.facts import (
    NotWritten,
    RoundOpened,
    RoundRetried,
    TaskFailed,
    Waiting,
)
from zfed.rounds.appraisal import Appraisal
from zfed.rounds.attempt import Attempt
from zfed.rounds.carried import Carried
from zfed.rounds.cohort import Roster, WaitFor
from zfed.rounds.evaluation import EvaluationDesk
from zfed.rounds.first_model import FirstModel
from zfed.rounds.gathering import Gathering
from zfed.rounds.objections import CONFIGURATION, Objections
from zfed.rounds.parts import Part, UnderWay
from zfed.rounds.refusals import STALE, Refusals
from zfed.rounds.root import RootUpdate
from zfed.rounds.schedule import Schedule
from zfed.rounds.selection import Drawn, Selection
from zfed.strategies import Bounds, Needs, UsualNorm
from zfed.strategies.grid import FIRST_VALUE_RANGE, next_value_range
from zfed.tags import TagExpression
from zfed.wire.messages import AssignmentId

NOTICE_S = 5.0
"""How often whoever watches is told for whom a standing run waits."""

LONG_S = 30.0
"""How often they are told for whom a round waits whose workers are at work."""

COMMIT_AGAIN_S = 10.0
"""Between attempts to write a version that the disk had no room for."""

RETRY_S = 1.0
"""From the beginning of a round's first attempt to its second, at least; doubled each time, up to ..."""

LONGEST_RETRY_S = 30.0
"""... this."""

Standing = Literal["wanted", "accepted", "committed", "stale", "unknown"]


@dataclass
class Rounds:
    """The round engine of one run.

    Args:
        config: Table `[run]`.
        evaluate: Table `[evaluate]`.
        incarnation: Number of this coordinator start; together with a counter it numbers all assignments.
        needs: Of the strategy.
        schedule: For whom a version waits.
        select: Table `[select]`.

    Raises:
        ConfigError: If settings contradict each other.
    """

    config: RunConfig
    evaluate: EvaluateConfig
    incarnation: int = 1
    needs: Needs = field(default_factory=Needs)
    schedule: Schedule = field(default_factory=Schedule)
    select: SelectConfig = field(default_factory=SelectConfig)

    roster: Roster = field(init=False)
    appraisal: Appraisal = field(init=False)
    phase: Literal["gathering", "initializing", "collecting", "committing", "finishing", "ended"] = (
        "gathering"
    )
    version: int = -1
    round: int = 0
    _tries: int = 0
    _attempt: Attempt | None = None
    _gathering: Gathering | None = None
    _cohort: set[str] = field(default_factory=set)  # of the last attempt, but for those who said goodbye
    _known: set[str] = field(
        default_factory=set
    )  # workers that were ever here, but for those who said goodbye
    _commit: Commit | None = None
    _give_up_at: float = 0.0
    _first: FirstModel = field(default_factory=FirstModel)
    _committed: dict[str, tuple[AssignmentId, int]] = field(default_factory=dict)
    _carried: Carried = field(default_factory=Carried)
    _value_range: float = FIRST_VALUE_RANGE
    _usual_norm: UsualNorm = field(default_factory=UsualNorm)
    _deadline: float | None = None
    _next_notice: float = 0.0
    _counter: int = 0
    _evaluator_seen: bool = False
    _stop_reason: str = ""

    def __post_init__(self) -> None:
        self._wait_for = WaitFor.parse(self.config.wait_for)
        self.roster = Roster(where=TagExpression.parse(self.select.where))
        self._selection = Selection(self.select, self.config.seed)
        self.refusals = Refusals(self.config.strikes)
        self._objections = Objections()
        self.appraisal = Appraisal(
            self.evaluate, self.config.rounds, self.config.rejoin_grace_s, self._new_assignment
        )

    # ---- what others may ask --------------------------------------------------------------------

    @property
    def next_wake(self) -> float | None:
        """When a `Tick` has something to do."""
        if self._over:
            return None
        wakes = [self._phase_wake, self.appraisal.surveys.next_wake]
        return min((wake for wake in wakes if wake is not None), default=None)

    @property
    def _phase_wake(self) -> float | None:
        if self.phase == "collecting" and self._attempt:
            wake = self._attempt.next_wake
            if wake is None:
                return self._retry_at(self._attempt) if self._attempt.settled else None
            return min(wake, self._next_notice)
        if self.phase == "gathering" and self._gathering:
            return min(self._gathering.next_wake, self._next_notice)
        if self.phase == "committing":
            return self._deadline
        if self._deadline is not None:
            return min(self._deadline, self._next_notice)
        return None

    def standing(self, node: str, assignment: AssignmentId, version: int) -> Standing:
        """What an update offered from a version is to this run now; only a wanted one is worth receiving.

        An unknown one was asked for by an earlier start of this coordinator, which had no time to write that
        down, or by an attempt that lost all its workers. It will be offered again under the number of the
        next order.
        """
        if node in self._committed and self._committed[node][0] == assignment:
            return "committed"
        if self._first.is_asked(node, assignment):
            return "wanted"
        if self._carried.find(node, assignment) is not None:
            return "unknown"
        part = self._part(node, assignment)
        between = assignment[0] < self.incarnation or self.phase == "gathering"
        if part is None and between and version == self.version:
            return "unknown"
        if part is None or part.state == "out":
            return "stale"
        return "wanted" if part.state == "asked" else "accepted"

    def awaited(self, node: str) -> list[Ask]:
        """The orders that a node here has not answered; given again they change nothing."""
        part = self._attempt.awaited(node) if self._attempt and self.phase == "collecting" else None
        train = [self._attempt.ask(part)] if self._attempt and part else []
        return [*train, *self.appraisal.awaited(node), *self._first.awaited(node)]

    def committed_version(self, node: str) -> int:
        """The version that a node's committed update became part of."""
        return self._committed[node][1]

    def base_version(self, node: str, assignment: AssignmentId) -> int:
        """The version that an order names; of one that is not open, the current one."""
        part = self._part(node, assignment)
        return self.version if part is None else part.version

    @property
    def versions(self) -> frozenset[int]:
        """The versions that somebody may still want to have."""
        parts: list[Part] = []
        if self._attempt and self.schedule.carries:  # what counted is asked again if this comes to nothing
            parts = self._attempt.in_state("asked", "folding", "counted")
        asked = [*self._carried.versions, *(part.version for part in parts)]
        return frozenset((self.version, *self.appraisal.versions, *asked))

    @property
    def desk(self) -> EvaluationDesk:
        """What the evaluator owes."""
        return self.appraisal.desk

    # ---- events ---------------------------------------------------------------------------------

    def handle(self, event: Event, now: float) -> list[Action]:
        """Take an event; return what is to be done, in this order."""
        if self._over:
            return []
        actions = self._handle(event, now)
        if not self._over:  # a worker that is back trains first
            actions += self.appraisal.take(event, self.roster, now)
            actions += self._finish_if_idle(now) or self._stop_early()
        return actions

    @property
    def _over(self) -> bool:
        return self.phase == "ended"

    def _handle(self, event: Event, now: float) -> list[Action]:
        match event:
            case NodeReady():
                return self._node_ready(event, now)
            case NodeReadiness():
                return self._node_readiness(event, now)
            case NodeGone():
                return self._node_gone(event, now)
            case ModelLoaded():
                return self._model_loaded(now)
            case ModelUnusable():
                return self._model_unusable(event, now)
            case UpdateStaged() | UpdateUnfit():
                return self._update_came(event, now)
            case OfferStale():
                return self._stale(event.node, event.assignment)
            case Folded():
                return self._folded(event, now)
            case VersionCommitted():
                return self._version_committed(event, now)
            case CommitFailed():
                return self._commit_failed(event, now)
            case WorkFailed():
                return self._work_failed(event, now)
            case EvaluationDone():
                return [*self.appraisal.done(event), *self._finish_if_idle(now)]
            case CannotRun():
                return self._end("failed", event.reason)
            case StopAsked() if self.phase == "committing" and self._deadline is None:
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
            root = self._attempt.back(event.node) if self._attempt and self.phase == "collecting" else []
            actions = [*root, *self.desk.ask(self.roster.evaluators)]
        else:
            self._known.add(event.node)
            self._objections.withdrawn(event.node)
            actions = self._worker_back(event, now)
        if self.phase == "gathering":
            return [*actions, *self._go_on(now)]
        if self.phase == "initializing" and not self._first.node and not self.config.initial:
            return [*actions, *self._ask_model(now)]
        return actions

    def _worker_back(self, worker: NodeReady, now: float) -> list[Action]:
        self._carried.back(worker.node)
        if self.phase != "collecting" or self._attempt is None:
            return []
        return [*self._attempt.back(worker.node), *self._fill_up(now)]

    def _node_readiness(self, event: NodeReadiness, now: float) -> list[Action]:
        """A node can work again, and is asked if somebody is needed; or it cannot, and does what it has."""
        self.roster.tell_readiness(event.node, event.unready)
        asked = self.desk.ask(self.roster.evaluators)
        if self.phase == "gathering":
            return [*asked, *self._go_on(now)]
        return [*asked, *self._fill_up(now)]

    def _node_gone(self, event: NodeGone, now: float) -> list[Action]:
        was_here = self.roster.remove(event.node)
        self.desk.gone(event.node)
        if not was_here:
            return []
        if event.node == self._first.node:
            self._first.give_up()
            return self._ask_model(now)
        until = now + self.config.rejoin_grace_s
        if self._attempt:
            self._attempt.gone(event.node, left=event.left, until=until)
        self._carried.lost(event.node, until)
        if event.left:
            self._forget(event.node)
        asked = self.desk.ask(self.roster.evaluators)
        if self.phase == "gathering":  # if they are too few again, the others' grace begins anew
            return [*asked, *self._go_on(now)]
        return [*asked, *self._close_if_due(now)]

    def _tick(self, now: float) -> list[Action]:
        if self.phase == "collecting":
            return self._close_if_due(now) or self._notice(now)
        if self.phase == "gathering" and self._gathering and self._gathering.is_over(self.roster, now):
            return self._open_round(now)
        if self._deadline is not None and now >= self._deadline:
            return self._deadline_passed(now)
        return self._notice(now)

    def _deadline_passed(self, now: float) -> list[Action]:
        if self.phase == "finishing":
            reason = f"no answer within {self.evaluate.timeout_s:g} s after the last round"
            return [*self.appraisal.give_up(reason), *self._finish_if_idle(now)]
        if self.phase == "initializing":
            return self._model_overdue(now)
        if self.phase == "committing":
            self._deadline = None
            return [self._commit] if self._commit else []
        what = f"waited {self.config.wait_timeout_s:g} s for {self._missing()}"
        if self.refusals.benched:
            what = f"{what}; benched for refused updates: {', '.join(self.refusals.benched)}"
        return self._end("failed", f"{what}; see --wait-for and --wait-timeout")

    def _notice(self, now: float) -> list[Action]:
        until = self._waits_until
        if until is None or now < self._next_notice:
            return []
        self._next_notice = now + (LONG_S if self.phase == "collecting" else NOTICE_S)
        return [Tell(fact=Waiting(missing=self._missing(), remaining_s=until - now))]

    @property
    def _waits_until(self) -> float | None:
        """When the wait for nodes is over; None if the run waits for a job of this machine."""
        if self.phase == "collecting" and self._attempt:
            return None if self._attempt.next_wake is None else self._attempt.deadline
        return None if self.phase == "committing" else self._deadline

    def _missing(self) -> str:
        if self.phase == "collecting" and self._attempt:
            return f"round {self.round} of {self._attempt.waits_for()}"
        if self.phase == "finishing":
            owed = self.appraisal.awaited_count
            return f"{owed} evaluation{'s' if owed > 1 else ''}"
        if self.phase == "initializing":
            return f"the first model from {self._first.node or 'any node'}"
        if self._gathering is None:
            return self._wait_for.missing(self.roster)
        return self._gathering.missing(self.roster, self.round)

    # ---- the start ------------------------------------------------------------------------------

    def start(self, now: float) -> list[Action]:
        """Begin to wait for workers."""
        self._deadline = now + self.config.wait_timeout_s
        return self._notice(now)

    def resume(self, point: ResumePoint, now: float) -> list[Action]:
        """Go on from the last committed version, instead of `start`. All deadlines begin anew."""
        self.version, self.round = point.version, point.round
        self._value_range = point.value_range or self._value_range
        self._usual_norm = UsualNorm(point.norms)
        self.refusals.restore(point.strikes)
        self._known = set(point.present).difference(self.refusals.benched)
        self._committed = dict(point.committed)
        self._evaluator_seen = point.evaluator_seen
        grace_until = now + self.config.restart_grace_s
        seen = self.appraisal.restore(point, now, grace_until)
        return [*seen, *self._go_on_from(point, grace_until, now)]

    def _go_on_from(self, point: ResumePoint, grace_until: float, now: float) -> list[Action]:
        if self.round >= self.config.rounds:
            return self._begin_to_finish(now)
        if reason := self.appraisal.reason_to_stop(self.version):
            return self._end_early(reason)
        self.round += 1
        self._tries = 1
        under_way = [part for part in point.under_way if not self.refusals.is_benched(part.node)]
        if point.attempt is not None and under_way:
            self._tries = point.attempt.number
            return self._open_again(point.attempt, point.under_way, grace_until, now)
        if self.schedule.carries:
            before = [self._asked_before(part, now) for part in under_way]
            self._carried.add(UnderWay(part, grace_until, ask=True) for part in before)
        self._cohort = (self._known or set(self._wait_for.names)).difference(self.refusals.benched)
        needed = 0 if self._known else self._wait_for.count  # all had left: as before the first round
        return self._gather(open_at=grace_until, now=now, needed=needed)

    def _open_again(
        self, before: OpenAttempt, parts: Iterable[OpenPart], grace_until: float, now: float
    ) -> list[Action]:
        attempt = self._new_attempt(now)
        for part in parts:
            attempt.adopt(self._asked_before(part, now), lost_until=grace_until)
            if self.refusals.is_benched(part.node):
                attempt.gone(part.node, left=True, until=now)
        if before.root:
            attempt.root = RootUpdate(self._asked_before(before.root, now), grace_until)
        attempt.goal = before.goal
        return self._collect(attempt, now)

    def _asked_before(self, part: OpenPart, now: float) -> Part:
        return Part(
            node=part.node,
            assignment=part.assignment,
            declared=part.examples,
            round=part.round,
            version=part.version,
            deadline=now + self.config.round_timeout_s,
        )

    def _go_on(self, now: float) -> list[Action]:
        """Leave gathering if everybody awaited is here."""
        if self._gathering is not None:
            return self._open_round(now) if self._gathering.is_over(self.roster, now) else []
        if self._wait_for.missing(self.roster) or not self.roster.worker_count:
            return []
        self.phase = "initializing"
        self._give_up_at = now + self.config.wait_timeout_s
        if self.config.initial:
            self._deadline = None  # a disk answers, sooner or later
            return [LoadModel()]
        return self._ask_model(now)

    def _ask_model(self, now: float) -> list[Action]:
        """Ask the next candidate; if nobody is here, whoever comes first will be asked."""
        self._deadline = min(now + self.config.round_timeout_s, self._give_up_at)
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
        if now >= self._give_up_at:
            what = f"waited {self.config.wait_timeout_s:g} s for {self._missing()}"
            return self._end("failed", f"{what}; see --initial and --wait-timeout")
        if self.config.initial:
            self._deadline = None
            return [LoadModel()]
        node, assignment = self._first.node, self._first.overdue()
        cancel = Cancel(node=node, assignment=assignment, reason="no answer in time") if assignment else None
        return [*([cancel] if cancel else []), *self._ask_model(now)]

    def _model_loaded(self, now: float) -> list[Action]:
        if self.phase != "initializing":
            return []
        self._first.give_up()
        self.version = 0
        return self._next_round(now)

    # ---- a round --------------------------------------------------------------------------------

    @property
    def _opens_with(self) -> int:
        """Fewest workers that may be asked, for a round to be opened."""
        return max(self._needed, self.select.min_cohort)

    @property
    def _needed(self) -> int:
        return max(1, self.config.min_workers, self.needs.updates)

    def _next_round(self, now: float) -> list[Action]:
        self.round += 1
        self._tries = 1
        return self._open_or_gather(now)

    def _open_or_gather(self, now: float) -> list[Action]:
        root = bool(self.roster.root_evaluators) or not self.needs.root
        if root and self.roster.candidate_count >= self._opens_with:
            return self._open_round(now)
        if reason := self._too_few_left():
            return self._end("failed", reason)
        return self._gather(open_at=now, now=now)

    def _too_few_left(self) -> str:
        """Why there are too few workers, whoever comes back; empty if there are enough, or never were."""
        left, benched, objections = len(self._known), self.refusals.benched, self._objections
        if not left < self._opens_with <= left + len(benched) + len(objections):
            return ""
        reason = f"too few workers are left for round {self.round}: {left} of at least {self._opens_with}"
        if benched:
            reason = (
                f"{reason}; benched for refused updates: {', '.join(benched)}. See --strikes, --min-workers"
            )
        return f"{reason}; {objections.sentence()}" if objections else reason

    def _gather(self, *, open_at: float, now: float, needed: int = 0) -> list[Action]:
        self.phase = "gathering"
        self._attempt = None
        self._carried.ask_all()
        self._deadline = now + self.config.wait_timeout_s
        self._gathering = Gathering(
            expected=self._cohort,
            needed=max(self._opens_with, needed),
            grace_s=self.config.rejoin_grace_s,
            open_at=open_at,
            deadline=self._deadline,
            root=self.needs.root,
        )
        self._next_notice = now
        return self._notice(now)

    def _open_round(self, now: float) -> list[Action]:
        attempt = self._new_attempt(now)
        cancelled = self._carried.hand_over(attempt, self.roster)
        free = [worker for worker in self.roster.candidates if worker.node not in attempt]
        try:
            attempt.drawn = self._draw(attempt, free)
        except ConfigError as error:
            return [*cancelled, *self._end("failed", f"round {self.round}: {error}")]
        for worker in attempt.drawn.workers:
            attempt.add(worker.node, self._new_assignment(), worker.examples)
        attempt.goal = self.schedule.closes_at(len(attempt.parts), len(free))
        if self.needs.root:  # the last evaluator: evaluations go to the first, which may be another
            attempt.ask_root(self.roster.root_evaluators[-1], self._new_assignment())
        attempt.heaviest = max((worker.examples for worker in self.roster.candidates), default=0)
        return [*cancelled, *self._collect(attempt, now)]

    def _draw(self, attempt: Attempt, free: list[NodeReady]) -> Drawn:
        """Who of those that have nothing to do is asked: so many that a cohort is at work."""
        wanted = self._selection.wanted(self.roster.candidate_count)
        if wanted is not None:
            # A share of those who happen to be here may be fewer than it takes to commit anything,
            # unless who has answered makes room for others
            needed = 0 if self.schedule.joins else self._needed
            wanted = max(self.schedule.wanted(max(wanted, needed)) - attempt.at_work, 0)
        least = self._opens_with if not attempt.parts else 0
        return self._selection.choose(free, round=self.round, attempt=self._tries, wanted=wanted, least=least)

    def _fill_up(self, now: float) -> list[Action]:
        """Where no cohort is waited for: ask who is free, as long as the open round wants more."""
        attempt = self._attempt
        if not self.schedule.joins or self.phase != "collecting" or attempt is None or attempt.full:
            return []
        free = [
            worker
            for worker in self.roster.candidates
            if worker.node not in attempt and attempt.bears(worker.examples)
        ]
        return [
            action
            for worker in self._draw(attempt, free).workers
            for action in attempt.join(worker.node, self._new_assignment(), worker.examples, now)
        ]

    def _carry_again(self, attempt: Attempt, now: float) -> None:
        """An attempt came to nothing: what is under way goes on, and what had counted is offered again."""
        self._carried.add(attempt.under_way())
        deadline = now + self.config.round_timeout_s
        counted = attempt.in_state("counted", "folding")
        renewed = [part.renewed(self._new_assignment(), deadline) for part in counted]
        self._carried.add(UnderWay(part, ask=True) for part in renewed)

    def _new_attempt(self, now: float) -> Attempt:
        return Attempt(
            round=self.round,
            number=self._tries,
            version=self.version,
            equal_weights=self.config.weighting == "equal",
            own_models=self.appraisal.own_models(self.round),
            opened_at=now,
            deadline=now + self.config.round_timeout_s,
            refusals=self.refusals,
            schedule=self.schedule,
            needs=self.needs,
            needed=self._needed,
            oldest=self.schedule.oldest(max(len(self._known), 1)),
            merging=self.appraisal.merging,
            counted_before=self._committed,
        )

    def _collect(self, attempt: Attempt, now: float) -> list[Action]:
        self.phase = "collecting"
        self._attempt, self._gathering = attempt, None
        self._cohort = {part.node for part in attempt.parts.values()}.difference(self.refusals.benched)
        self._next_notice = now + LONG_S
        fact = RoundOpened(
            round=self.round,
            rounds=self.config.rounds,
            version=self.version,
            cohort=[part.node for part in attempt.parts.values()],
            attempt=self._tries,
            candidates=attempt.drawn.candidates,
            draws=attempt.drawn.draws,
        )
        bounds = Bounds(
            value_range=self.config.value_range or self._value_range,
            max_norm=self._usual_norm.limit(self.config.max_norm, self.config.max_norm_ratio),
        )
        return [*attempt.open(bounds, self.roster), Tell(fact=fact)]

    def _part(self, node: str, assignment: AssignmentId) -> Part | None:
        return self._attempt.find(node, assignment) if self._attempt else None

    def _update_came(self, event: UpdateStaged | UpdateUnfit, now: float) -> list[Action]:
        node, assignment = event.node, event.assignment
        if isinstance(event, UpdateUnfit) and self._first.is_asked(node, assignment):
            refused = self.refusals.refused(node, assignment, 0, event.flaw)
            return [*refused, *self._model_refused(event.flaw.reason, now)]
        part = self._part(node, assignment)
        if (carried := self._carried.find(node, assignment)) is not None:
            return self._carried.came(carried, event, self.round, self.refusals)
        if self._attempt is None or part is None or part.state == "out":
            reason = self.stale_reason(assignment)
            refuse = Refuse(node=node, assignment=assignment, code=STALE, reason=reason)
            return [refuse, *self._stale(node, assignment)]
        if isinstance(event, UpdateStaged):
            actions = self._attempt.take(part, event)
        else:
            actions = self._attempt.refuse(part, event.flaw)
        if self.refusals.is_benched(node):
            self.roster.remove(node)
            self._forget(node)
        return [*actions, *self._close_if_due(now)]

    def _forget(self, worker: str) -> None:
        """Wait for this worker no more."""
        self._cohort.discard(worker)
        self._known.discard(worker)
        self._carried.forget(worker)

    def _stale(self, node: str, assignment: AssignmentId) -> list[Action]:
        return self.refusals.stale(node, assignment, self.round, self.stale_reason(assignment))

    def _folded(self, event: Folded, now: float) -> list[Action]:
        if self._attempt:
            self._attempt.folded(event.assignment, event.own_model, now)
        return self._close_if_due(now)

    def _work_failed(self, event: WorkFailed, now: float) -> list[Action]:
        if self.desk.is_asked(event.node, event.assignment):
            told = self._task_failed(event, self.desk.owed[event.assignment].round, "evaluate")
            return [told, *self.appraisal.failed(event), *self._finish_if_idle(now)]
        if self._first.is_asked(event.node, event.assignment):
            return [self._task_failed(event, 0, "initialize"), *self._model_refused(event.error, now)]
        part = self._part(event.node, event.assignment)
        if self._attempt is None or part is None or part.state != "asked":
            return []
        self._attempt.drop(part, f"its task failed: {event.error}")
        if event.code == CONFIGURATION:
            self._objections.raised(event.node, event.error)
            self.roster.remove(event.node)
            self._forget(event.node)
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
        actions = self._attempt.expire(now)
        if not self._attempt.due(now):
            return [*actions, *self._fill_up(now)]
        counted = self._attempt.in_state("counted")
        if len(counted) >= self._needed and not self._attempt.lacks_root:
            return [*actions, *self._make_version(self._attempt, counted, now)]
        if not counted and not self.roster.worker_count:  # the others' absence is no fault of the round
            self._carry_again(self._attempt, now)
            return [*actions, *self._open_or_gather(now)]
        if now < self._retry_at(self._attempt):
            return actions
        answered = [part.node for part in counted]
        return [*actions, *self._retry(answered, self._attempt.missing(), now)]

    def _make_version(self, attempt: Attempt, counted: list[Part], now: float) -> list[Action]:
        self.phase = "committing"
        self._deadline = None
        self._give_up_at = now + self.config.wait_timeout_s
        closed = attempt.close()
        evaluations, skipped = self.appraisal.wanted(
            self.round, self.version + 1, counted, self.roster.candidates
        )
        self._commit = Commit(
            round=self.round,
            version=self.version + 1,
            workers=tuple(part.node for part in counted),
            assignments=tuple(part.assignment for part in counted),
            value_range=next_value_range(attempt.largest, self._value_range),
            norm=attempt.norm,
            evaluations=evaluations,
            summary=attempt.summary(self.refusals.counted(), rounds=self.config.rounds, now=now),
            root=attempt.root.part.order if attempt.root else None,
        )
        return [*closed, *skipped, self._commit]

    def _commit_failed(self, event: CommitFailed, now: float) -> list[Action]:
        if self._stop_reason:
            return self._end("stopped", self._stop_reason)
        if self.phase in ("initializing", "committing") and event.again and now < self._give_up_at:
            self._first.give_up()
            self._deadline = now + COMMIT_AGAIN_S
            what = f"version {self.version + 1}"
            return [Tell(fact=NotWritten(what=what, reason=event.reason, retry_s=COMMIT_AGAIN_S))]
        what = f"round {self.round} could not be committed" if self.round else "no first model"
        return self._end("failed", f"{what}: {event.reason}")

    def _retry_at(self, attempt: Attempt) -> float:
        """When a round may be tried again: who fails at once shall not use up all attempts at once."""
        return attempt.opened_at + min(RETRY_S * 2.0 ** (self._tries - 1), LONGEST_RETRY_S)

    def _retry(self, answered: list[str], missing: list[str], now: float) -> list[Action]:
        if self._tries > self.config.round_retries:
            times = f"{self._tries} time{'s' if self._tries > 1 else ''}"
            lacking = f"too few updates: {len(answered)} of at least {self._needed}"
            if len(answered) >= self._needed:
                lacking = f"no root update of an evaluator, which {self.needs.strategy} needs"
            reason = (
                f"round {self.round} was tried {times} and got {lacking}; "
                f"missing: {', '.join(missing) or 'nobody'}. "
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
        if self.schedule.carries and self._attempt:
            self._carry_again(self._attempt, now)
        return [told, *self._open_or_gather(now)]

    def _version_committed(self, event: VersionCommitted, now: float) -> list[Action]:
        attempt, commit = self._attempt, self._commit
        if self.phase != "committing" or attempt is None or commit is None:
            return []
        self._attempt = self._commit = None
        self._carried.add(attempt.under_way())
        counted = attempt.in_state("counted")
        self.version = event.version
        self._value_range = commit.value_range
        self._usual_norm.add(commit.norm)
        # A worker that missed COMMITTED offers its last update again, perhaps rounds later.
        made = [*counted, *([attempt.root.part] if attempt.root else [])]
        self._committed.update((part.node, (part.assignment, self.version)) for part in made)
        actions: list[Action] = [
            *attempt.tell_committed(),
            Tell(
                fact=attempt.summary(
                    commit.summary.refused,
                    rounds=self.config.rounds,
                    now=now,
                    bytes_down=event.bytes_down,
                    bytes_up=event.bytes_up,
                )
            ),
        ]
        if self._stop_reason:
            return [*actions, *self._end("stopped", self._stop_reason)]
        actions += self.appraisal.ask_evaluator(commit.evaluations, self.roster)
        if self.round < self.config.rounds and (reason := self.appraisal.reason_to_stop(self.version)):
            return [*actions, *self._end_early(reason)]
        surveyed = self.appraisal.ask_workers(commit.evaluations, self.roster, now)
        if self.round < self.config.rounds:  # who trains is asked to do so first
            return [*actions, *self._next_round(now), *surveyed]
        actions += surveyed
        reason = "the run has all its rounds"
        cancelled = self._carried.cancel(reason)
        return [*actions, *cancelled, *self._begin_to_finish(now)]

    # ---- the end --------------------------------------------------------------------------------

    def _begin_to_finish(self, now: float) -> list[Action]:
        self.phase = "finishing"
        self._deadline = now + self.evaluate.timeout_s
        self._next_notice = now + NOTICE_S
        return self._finish_if_idle(now)

    def _finish_if_idle(self, now: float) -> list[Action]:
        if self.phase != "finishing":
            return []
        actions: list[Action] = []
        if not self._evaluator_seen:
            actions = self.desk.skip(None, "no evaluator took part")
        if self.desk.owed or self.appraisal.surveys.open:
            return actions
        return [*actions, *self._end("completed", "")]

    def _stop_early(self) -> list[Action]:
        """End the run if there is no hope for a better version; one that is being written comes first."""
        if self.phase not in ("gathering", "collecting"):
            return []
        reason = self.appraisal.reason_to_stop(self.version)
        return self._end_early(reason) if reason else []

    def _end_early(self, reason: str) -> list[Action]:
        return [*self.appraisal.give_up("the run ends early"), *self._end("completed", reason)]

    def _end(self, status: Status, reason: str) -> list[Action]:
        self.phase = "ended"
        ended = EndRun(
            status=status,
            reason=reason,
            rounds_done=max(self.version, 0),
            version=max(self.version, 0),
            evaluated=self.appraisal.any_done,
            best=self.appraisal.watch.best,
        )
        return [ended]

    def _new_assignment(self) -> AssignmentId:
        self._counter += 1
        return (self.incarnation, self._counter)
