"""The journal's lines from which a run is resumed: written and read in one place, so that they agree.

Lines that only people read (`accepted`) are written where they arise.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from zfed.checkpoint import without_newer
from zfed.engine import (
    Commit,
    EvaluationDone,
    OpenAttempt,
    OpenPart,
    OpenRound,
    OwedEvaluation,
    PastEvaluation,
    ResumePoint,
    Tell,
    WorkerAnswer,
)
from zfed.facts import (
    Evaluated,
    EvaluationSkipped,
    NodeJoined,
    UpdateRefused,
    WorkerBenched,
    WorkersEvaluated,
)
from zfed.rounds.evaluation import FEDERATED, WORKERS, EvaluationDesk
from zfed.rounds.participation import ParticipationTally
from zfed.rounds.refusals import STALE
from zfed.telemetry import metrics_record
from zfed.wire.messages import AssignmentId
from zfed.wire.roster import KeyId

Line: TypeAlias = Mapping[str, Any]


def joined(fact: NodeJoined) -> Line:
    """A node was admitted."""
    return {
        "event": "joined",
        "node": fact.node,
        "kind": fact.kind,
        "examples": fact.examples,
        "rejoined": fact.rejoined,
    }


def left(node: str, kind: str, *, left: bool, reason: str) -> Line:
    """A node's session is over; `left` if it said goodbye."""
    return {"event": "left", "node": node, "kind": kind, "left": left, "reason": reason}


def enrolled(node: str, key: KeyId, fingerprint: str) -> Line:
    """A device has enrolled itself with an invitation; may be there twice if a coordinator died meanwhile."""
    return {"event": "enrolled", "node": node, "key": key, "fingerprint": fingerprint}


def opened(action: OpenRound) -> Line:
    """An attempt at a round was opened: enough to open it again."""
    return {
        "event": "opened",
        "round": action.round,
        "attempt": action.attempt,
        "version": action.version,
        "goal": action.goal,
        "candidates": action.candidates,
        "draws": action.draws,
        "grid": action.grid,
        "value_range": action.value_range,
        "cohort": action.cohort,
        "assignments": [part.assignment for part in action.parts],
        "examples": [part.examples for part in action.parts],
        "orders": [(part.round, part.version) for part in action.parts],
        **_root_fact(action.root),
    }


def enlisted(part: OpenPart) -> Line:
    """A worker joined the round that was open."""
    return {
        "event": "enlisted",
        "round": part.round,
        "version": part.version,
        "node": part.node,
        "assignment": part.assignment,
        "examples": part.examples,
    }


def commit_facts(action: Commit, bytes_down: int, bytes_up: int) -> Line:
    """What the commit line says beside version and digests."""
    metrics = metrics_record(action.summary) or {}
    metrics.update(bytes_down=bytes_down, bytes_up=bytes_up)
    metrics.pop("per_worker", None)  # of a thousand workers, that would be most of the line
    return {
        "round": action.round,
        "workers": action.workers,
        "assignments": action.assignments,
        "value_range": action.value_range,
        "norm": action.norm,
        **_root_fact(action.root),
        "missing": action.summary.missing,
        "evaluations": [_promised(owed) for owed in action.evaluations],
        "metrics": metrics,
    }


def _promised(owed: OwedEvaluation) -> Line:
    line = {"subject": owed.subject, "assignment": owed.assignment, "model": owed.own_model}
    return {**line, "worker": owed.worker} if owed.worker else line


def answered(done: EvaluationDone, round: int) -> Line:
    """A worker answered; others may still be at work on the same version."""
    return {
        "event": "answered",
        "round": round,
        "assignment": done.assignment,
        "node": done.node,
        "examples": done.examples,
        "found": done.metrics,
    }


def surveyed(fact: WorkersEvaluated) -> Line:
    """All workers that were asked have answered, or are out."""
    return {
        "event": "evaluated",
        "round": fact.round,
        "subject": WORKERS,
        "metrics": metrics_record(fact),
    }


def evaluated(done: EvaluationDone, owed: OwedEvaluation, *, validation: bool = False) -> Line:
    """An evaluation came back."""
    fact = Evaluated(
        round=owed.round,
        subject=owed.subject,
        evaluator=done.node,
        examples=done.examples,
        metrics=done.metrics,
        version=owed.version,
        validation=validation and owed.subject == FEDERATED,
    )
    return {
        "event": "evaluated",
        "round": owed.round,
        "subject": owed.subject,
        "assignment": owed.assignment,
        "node": done.node,
        "metrics": metrics_record(fact),
    }


def refused(fact: UpdateRefused) -> Line:
    """An update does not count."""
    return {
        "event": "refused",
        "node": fact.node,
        "assignment": fact.assignment,
        "round": fact.round,
        "code": fact.code,
        "reason": fact.reason,
        "tensor": fact.tensor,
        "seen": fact.seen,
        "limit": fact.limit,
    }


def benched(fact: WorkerBenched) -> Line:
    """A worker is not asked any more; its `refused` lines say so to a start."""
    return {"event": "benched", "node": fact.node, "round": fact.round, "strikes": fact.strikes}


def skipped(fact: EvaluationSkipped) -> Line:
    """An evaluation that was owed will not be done."""
    return {"event": "skipped", "round": fact.round, "subject": fact.subject, "reason": fact.reason}


@dataclass(kw_only=True)
class Past:
    """What the lines of earlier starts say, those that still count.

    Attributes:
        kinds: Every node that ever took part: its name, and "worker" or "evaluator".
        here: Those who were here last, or lost, but did not say goodbye.
        given_up: Evaluations, by round and subject, for which a commit left no room in the queue, and whose
            own lines were not written any more.
        participation: Who took part.
    """

    kinds: dict[str, str] = field(default_factory=dict)
    here: set[str] = field(default_factory=set)
    given_up: dict[tuple[int, str], EvaluationSkipped] = field(default_factory=dict)
    participation: ParticipationTally = field(default_factory=ParticipationTally)
    _version: int = -1
    _round: int = 0
    _value_range: float | None = None
    _norms: list[float] = field(default_factory=list)
    _strikes: Counter[str] = field(default_factory=Counter)
    _committed: dict[str, tuple[AssignmentId, int]] = field(default_factory=dict)
    _desk: EvaluationDesk = field(default_factory=EvaluationDesk)
    _asked: dict[AssignmentId, OwedEvaluation] = field(default_factory=dict)
    _answers: list[WorkerAnswer] = field(default_factory=list)
    _evaluations: list[PastEvaluation] = field(default_factory=list)
    _versions: dict[int, int] = field(default_factory=dict)  # by round
    _opened: Line | None = None
    _parts: dict[AssignmentId, OpenPart] = field(default_factory=dict)

    @classmethod
    def read(cls, lines: Iterable[Line], version: int) -> Past:
        """Read the lines, oldest first, but for what came of versions after this one: they cannot be used."""
        past = cls()
        for line in without_newer(lines, version):
            past._take(line)
        return past

    @property
    def point(self) -> ResumePoint:
        """Where the run stands; its version is -1 if none was committed."""
        return ResumePoint(
            version=self._version,
            round=self._round,
            value_range=self._value_range,
            norms=tuple(self._norms),
            strikes=self._strikes,
            committed=self._committed,
            owed=(*self._desk.owed.values(), *self._asked.values()),
            answers=tuple(self._answers),
            evaluations=tuple(self._evaluations),
            evaluated=self._desk.any_done,
            evaluator_seen="evaluator" in self.kinds.values(),
            present=tuple(sorted(node for node in self.here if self.kinds[node] == "worker")),
            attempt=self._attempt(),
            under_way=tuple(self._parts.values()),
        )

    def _take(self, line: Line) -> None:
        self.participation.take_line(line)
        match line["event"]:
            case "joined":
                self.kinds[line["node"]] = line["kind"]
                self.here.add(line["node"])
            case "left" if line["left"]:
                self.here.discard(line["node"])
            case "opened":
                self._opened = line
                self._parts = {part.assignment: part for part in _parts(line)}
            case "enlisted":
                part = _part(line, line["node"], line["assignment"], line["examples"])
                self._parts[part.assignment] = part
            case "refused" if line.get("round") and line["code"] != STALE:
                self._strikes[line["node"]] += 1
            case "committed":
                self._commit(line)
            case "answered":
                self._answered(line)
            case "evaluated":
                self._desk.any_done = True
                self._settle(line)
                if (round := line["round"]) in self._versions:
                    evaluation = PastEvaluation(
                        round=round,
                        version=self._versions[round],
                        subject=line["subject"],
                        metrics=line["metrics"],
                    )
                    self._evaluations.append(evaluation)
            case "skipped":
                self._settle(line)

    def _answered(self, line: Line) -> None:
        owed = self._asked.pop(_number(line["assignment"]), None)
        if owed is not None:
            answer = WorkerAnswer(
                round=owed.round,
                version=owed.version,
                node=line["node"],
                examples=line["examples"],
                metrics=line["found"],
            )
            self._answers.append(answer)

    def _settle(self, line: Line) -> None:
        """What there was to know of this model in this round is known, or never will be."""
        key = (line["round"], line["subject"])
        self.given_up.pop(key, None)
        for book in (self._desk.owed, self._asked):
            for owed in [each for each in book.values() if (each.round, each.subject) == key]:
                del book[owed.assignment]
        if line["subject"] == WORKERS:
            self._answers = [answer for answer in self._answers if answer.round != line["round"]]

    def _commit(self, line: Line) -> None:
        self._version = line["version"]
        if self._version == 0:
            return
        self._round, self._value_range = line["round"], line["value_range"]
        self._norms.append(line.get("norm", 0.0))
        for node, assignment in zip(line["workers"], line["assignments"], strict=True):
            self._committed[node] = (_number(assignment), self._version)
            self._parts.pop(_number(assignment), None)
        if root := _root(line):
            self._committed[root.node] = (root.assignment, self._version)
        self._versions[self._round] = self._version
        promised = [
            OwedEvaluation(
                assignment=_number(owed["assignment"]),
                round=self._round,
                version=self._version,
                subject=owed["subject"],
                own_model=owed["model"],
                worker=owed.get("worker", ""),
            )
            for owed in line["evaluations"]
        ]
        self._asked.update((owed.assignment, owed) for owed in promised if owed.worker)
        actions = self._desk.owe([owed for owed in promised if not owed.worker])
        facts = [action.fact for action in actions if isinstance(action, Tell)]
        self.given_up.update(
            ((fact.round, fact.subject), fact) for fact in facts if isinstance(fact, EvaluationSkipped)
        )

    def _attempt(self) -> OpenAttempt | None:
        line = self._opened
        if line is None or line["version"] != self._version:
            return None
        return OpenAttempt(
            round=line["round"],
            number=line["attempt"],
            goal=line.get("goal", 0),
            root=_root(line),
        )


def _parts(opened: Line) -> Iterator[OpenPart]:
    asked = zip(opened["cohort"], opened["assignments"], opened["examples"], strict=True)
    orders = opened.get("orders") or [(opened["round"], opened["version"])] * len(opened["cohort"])
    for (node, assignment, examples), (round, version) in zip(asked, orders, strict=True):
        yield _part({"round": round, "version": version}, node, assignment, examples)


def _root_fact(root: OpenPart | None) -> Line:
    """What an evaluator was asked beside the workers, if anything was."""
    if root is None:
        return {}
    return {"root": {"node": root.node, "assignment": root.assignment, "examples": root.examples}}


def _root(line: Line) -> OpenPart | None:
    root = line.get("root")
    return _part(line, root["node"], root["assignment"], root["examples"]) if root else None


def _part(order: Line, node: str, assignment: list[int], examples: int) -> OpenPart:
    return OpenPart(
        node=node,
        assignment=_number(assignment),
        examples=examples,
        round=order["round"],
        version=order["version"],
    )


def _number(assignment: list[int]) -> AssignmentId:
    incarnation, counter = assignment
    return incarnation, counter
