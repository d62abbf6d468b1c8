"""Versions that workers evaluate, each on what it held out. Training never waits for that.

A survey is one version, asked of all workers that were here with something held out when it was committed.
Each order is an assignment of its own. Who is lost is waited for as long as for an update; what it was asked
is then given up, as is all that is not answered in time. A survey ends when nothing of it is awaited.
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from statistics import median

from zfed.engine import (
    Action,
    AskEvaluate,
    Cancel,
    EvaluationDone,
    Event,
    NodeGone,
    NodeReady,
    OwedEvaluation,
    Tell,
    Tick,
    WorkerAnswer,
    WorkFailed,
)
from zfed.facts import EvaluationSkipped, Spread, TaskFailed, WorkersEvaluated
from zfed.metrics import higher_is_better, merge_metrics
from zfed.rounds.cohort import Roster
from zfed.rounds.evaluation import FEDERATED, WORKERS
from zfed.rounds.merging import Merging
from zfed.wire.messages import AssignmentId

MAX_SURVEYS = 4
"""Of more, the oldest ends with what it has: workers that are slower than that are never done."""


@dataclass
class Survey:
    """One version, and what each worker that was asked has answered.

    Attributes:
        deadline: When nobody is waited for any longer.
        awaited: The assignments of those who owe an answer, by name.
        lost_until: Of those awaited who are not here, the end of their grace.
        answers: What came, by name.
        missing: Who will not answer, and why.
    """

    round: int
    version: int
    deadline: float
    awaited: dict[str, AssignmentId] = field(default_factory=dict)
    lost_until: dict[str, float] = field(default_factory=dict)
    answers: dict[str, WorkerAnswer] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    _earliest: float = math.inf  # nobody's grace ends before this

    def order(self, node: str) -> AskEvaluate:
        """What a worker was asked; given again, it changes nothing."""
        return AskEvaluate(
            node=node,
            assignment=self.awaited[node],
            round=self.round,
            version=self.version,
            subject=FEDERATED,
        )

    def drop(self, node: str, why: str) -> Cancel:
        """Wait for this worker no more."""
        self.lost_until.pop(node, None)
        self.missing[node] = why
        return Cancel(node=node, assignment=self.awaited.pop(node), reason=why)

    def lose(self, node: str, until: float) -> None:
        """This worker, of whom an answer is awaited, is not here, and has until then to come back."""
        self.lost_until[node] = until
        self._earliest = min(self._earliest, until)

    @property
    def next_wake(self) -> float:
        """When somebody may have to be given up; it costs the same however many are awaited."""
        return min(self.deadline, self._earliest)

    def lost_for_good(self, now: float) -> list[str]:
        """Those whose grace is over."""
        self._earliest = min((until for until in self.lost_until.values() if until > now), default=math.inf)
        return [node for node, until in self.lost_until.items() if until <= now]


@dataclass(kw_only=True)
class Surveys:
    """The surveys that are not over, oldest first.

    Args:
        merging: By which rules metrics become one.
        grace_s: How long a lost worker is waited for.
        timeout_s: How long an answer is.
        validation: Whether decisions are made by the results.
        higher: Which way the metric is better that is watched, by its name.

    Attributes:
        open: By round.
        any_done: Whether any survey had an answer.
    """

    merging: Merging
    grace_s: float
    timeout_s: float
    validation: bool = False
    higher: Mapping[str, bool] = field(default_factory=dict)
    open: dict[int, Survey] = field(default_factory=dict)
    any_done: bool = False

    @property
    def versions(self) -> set[int]:
        """The versions that somebody may still have to fetch."""
        return {survey.version for survey in self.open.values()}

    @property
    def next_wake(self) -> float | None:
        """When there may be something to give up; None if nothing is awaited."""
        return min((survey.next_wake for survey in self.open.values()), default=None)

    @property
    def awaited_count(self) -> int:
        """How many answers are awaited."""
        return sum(len(survey.awaited) for survey in self.open.values())

    def take(self, event: Event, roster: Roster, now: float) -> list[Action]:
        """Do what follows from an event of the engine."""
        match event:
            case NodeReady(kind="worker"):
                return self.back(event.node)
            case NodeGone():
                return self.gone(event.node, left=event.left, now=now)
            case EvaluationDone():
                return self.answered(event, roster.held_out(event.node))
            case WorkFailed():
                return self.failed(event)
            case Tick():
                return self.expire(now)
        return []

    # ---- what is asked --------------------------------------------------------------------------

    def begin(self, owed: Iterable[OwedEvaluation], present: Container[str], now: float) -> list[Action]:
        """Ask for these evaluations, all of one version; ends the oldest survey if there are too many."""
        wanted = list(owed)
        if not wanted:
            return []
        actions: list[Action] = []
        if len(self.open) >= MAX_SURVEYS:
            actions = self._end(next(iter(self.open.values())), f"not done after {MAX_SURVEYS} more versions")
        for each in wanted:
            survey = self._survey(each.round, each.version, now)
            survey.awaited[each.worker] = each.assignment
            if each.worker in present:
                actions.append(survey.order(each.worker))
            else:
                survey.lose(each.worker, now + self.grace_s)
        return actions

    def restore(
        self, owed: Iterable[OwedEvaluation], answers: Iterable[WorkerAnswer], now: float, until: float
    ) -> list[Action]:
        """Go on with surveys of an earlier start; nobody is here yet, and waited for `until` then."""
        for answer in answers:
            survey = self._survey(answer.round, answer.version, now)
            survey.answers[answer.node] = answer
        for each in owed:
            survey = self._survey(each.round, each.version, now)
            survey.awaited[each.worker] = each.assignment
            survey.lose(each.worker, until)
        self.open = dict(sorted(self.open.items()))
        return [action for survey in list(self.open.values()) for action in self._end_if_answered(survey)]

    def _survey(self, round: int, version: int, now: float) -> Survey:
        """The survey of a round, which is opened if it is not."""
        survey = Survey(round=round, version=version, deadline=now + self.timeout_s)
        return self.open.setdefault(round, survey)

    def awaited(self, node: str) -> list[AskEvaluate]:
        """The orders that a worker has not answered yet, oldest first."""
        return [survey.order(node) for survey in self.open.values() if node in survey.awaited]

    def find(self, node: str, assignment: AssignmentId) -> Survey | None:
        """The survey in which this worker owes an answer under this number."""
        of_node = (survey for survey in self.open.values() if survey.awaited.get(node) == assignment)
        return next(of_node, None)

    # ---- who comes and goes ---------------------------------------------------------------------

    def back(self, node: str) -> list[Action]:
        """A worker is here again: it is asked again, under the same numbers."""
        for survey in self.open.values():
            survey.lost_until.pop(node, None)
        return [*self.awaited(node)]

    def gone(self, node: str, *, left: bool, now: float) -> list[Action]:
        """A worker went away; if it `left` for good, nobody waits for it."""
        actions: list[Action] = []
        for survey in [survey for survey in self.open.values() if node in survey.awaited]:
            if left:
                survey.drop(node, "left")
                actions += self._end_if_answered(survey)
            else:
                survey.lose(node, now + self.grace_s)
        return actions

    def expire(self, now: float) -> list[Action]:
        """Give up who is lost for too long, and whatever is overdue."""
        actions: list[Action] = []
        for survey in [survey for survey in self.open.values() if now >= survey.next_wake]:
            if now >= survey.deadline:
                actions += self._end(survey, f"no answer within {self.timeout_s:g} s")
                continue
            for node in survey.lost_for_good(now):
                actions.append(survey.drop(node, "lost, and not back in time"))
            actions += self._end_if_answered(survey)
        return actions

    # ---- what comes of it -----------------------------------------------------------------------

    def answered(self, event: EvaluationDone, held_out: int) -> list[Action]:
        """Take the answer of a worker that declared so many examples; one nobody awaits changes nothing."""
        survey = self.find(event.node, event.assignment)
        if survey is None:
            return []
        if not 1 <= event.examples <= held_out:
            # More would let one worker speak for others, whose examples these were
            survey.drop(event.node, f"says {event.examples} examples, it declared {held_out}")
        else:
            del survey.awaited[event.node]
            survey.answers[event.node] = WorkerAnswer(
                round=survey.round,
                version=survey.version,
                node=event.node,
                examples=event.examples,
                metrics=event.metrics,
            )
        return self._end_if_answered(survey)

    def failed(self, event: WorkFailed) -> list[Action]:
        """The task of a worker raised; asking again would raise again."""
        survey = self.find(event.node, event.assignment)
        if survey is None:
            return []
        survey.drop(event.node, event.error)
        failed = TaskFailed(
            node=event.node,
            round=survey.round,
            work="evaluate",
            error=event.error,
            traceback=event.traceback,
        )
        return [Tell(fact=failed), *self._end_if_answered(survey)]

    def give_up(self, reason: str) -> list[Action]:
        """End all surveys with what they have."""
        return [action for survey in list(self.open.values()) for action in self._end(survey, reason)]

    def _end(self, survey: Survey, reason: str) -> list[Action]:
        cancels = [survey.drop(node, reason) for node in list(survey.awaited)]
        return [*cancels, *self._end_if_answered(survey)]

    def _end_if_answered(self, survey: Survey) -> list[Action]:
        if survey.awaited:
            return []
        del self.open[survey.round]
        missing = [f"{node} ({why})" for node, why in sorted(survey.missing.items())]
        if not survey.answers:
            reason = f"no worker answered: {', '.join(missing)}"
            return [Tell(fact=EvaluationSkipped(round=survey.round, subject=WORKERS, reason=reason))]
        self.any_done = True
        answers = dict(sorted(survey.answers.items()))
        fact = WorkersEvaluated(
            round=survey.round,
            version=survey.version,
            workers=list(answers),
            examples=sum(answer.examples for answer in answers.values()),
            metrics=merge_metrics(
                ((answer.examples, answer.metrics) for answer in answers.values()), self.merging.rules
            ),
            spread=self._spread(answers),
            missing=missing,
            validation=self.validation,
        )
        return [Tell(fact=fact)]

    def _spread(self, answers: Mapping[str, WorkerAnswer]) -> dict[str, Spread]:
        values: dict[str, dict[str, float]] = {}
        for node, answer in answers.items():
            for name, value in answer.metrics.items():
                if not isinstance(value, Mapping):
                    values.setdefault(name, {})[node] = value
        return {
            name: spread_of(of_nodes, higher=higher)
            for name, of_nodes in values.items()
            if (higher := self._better_if_higher(name)) is not None
        }

    def _better_if_higher(self, name: str) -> bool | None:
        """None if it is not known, or if workers do not compare by it: each counts other examples."""
        if self.merging.rules.get(name) == "sum":
            return None
        return self.higher.get(name, higher_is_better(name))


def spread_of(values: Mapping[str, float], *, higher: bool) -> Spread:
    """Worst, median and best of the values of some workers, at least one; of equal ones the first by name."""
    ranked = sorted(values, key=lambda node: (values[node] if higher else -values[node], node))
    best = min(node for node in ranked if values[node] == values[ranked[-1]])
    return Spread(
        worst=values[ranked[0]],
        worst_worker=ranked[0],
        median=_median(values.values()),
        best=values[best],
        best_worker=best,
    )


def _median(values: Iterable[float]) -> float:
    middle = median(values)
    # The sum of two large ones overflows, the halves of small ones would be rounded
    return middle if math.isfinite(middle) else 2 * median(value / 2 for value in values)
