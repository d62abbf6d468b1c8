"""What a run directory keeps of an engine's events and actions, and the point from which a run goes on."""

from collections import Counter
from dataclasses import dataclass, field

from zfed.engine import (
    Commit,
    Enlist,
    EvaluationDone,
    ModelLoaded,
    NodeGone,
    NodeReady,
    OpenAttempt,
    OpenRound,
    PastEvaluation,
    ResumePoint,
    Tell,
    VersionCommitted,
    WorkerAnswer,
)
from zfed.facts import Evaluated, EvaluationSkipped, UpdateRefused, WorkersEvaluated

LINES = (
    *(NodeReady, NodeGone, OpenRound, Enlist, ModelLoaded, UpdateRefused),
    *(Evaluated, WorkersEvaluated, EvaluationSkipped),
)
SYNCED = (ModelLoaded, VersionCommitted, Evaluated, WorkersEvaluated)


@dataclass
class Journal:
    """Lines in the order in which they were written; all up to `synced` outlive a power cut."""

    lines: list = field(default_factory=list)
    synced: int = 0
    _commit: Commit | None = None  # being written

    def write(self, item) -> None:
        """Take an event before the engine has it, or an action of the engine."""
        line = item.fact if isinstance(item, Tell) else item
        if isinstance(line, Commit):
            self._commit = line
        elif isinstance(line, VersionCommitted):
            self.wrote_commit()
        elif isinstance(line, LINES):
            self.lines.append(line)
            if isinstance(line, SYNCED):
                self.synced = len(self.lines)

    def write_answer(self, event, survey) -> None:
        """A worker answered, and others may still be at work on the same version."""
        if survey is not None and survey.awaited and event.node in survey.answers:
            self.lines.append(event)

    def all(self, actions: list) -> list:
        """Take all these actions; returns them."""
        for action in actions:
            self.write(action)
        return actions

    def wrote_commit(self) -> None:
        """The version that was to be written is on disk."""
        if self._commit is not None:
            self.lines.append(self._commit)
            self._commit = None
            self.synced = len(self.lines)

    def cut(self, length: int) -> None:
        """What was written but not synced may be lost, and what is being written is."""
        assert self.synced <= length <= len(self.lines)
        del self.lines[length:]
        self._commit = None

    def point(self) -> ResumePoint | None:
        """Where the run stands; None if there is no version yet."""
        version, round, value_range, norms, strikes = -1, 0, None, [], Counter()
        committed, owed, present, attempt, parts = {}, {}, {}, None, {}
        answers, evaluations = {}, []
        for line in self.lines:
            match line:
                case NodeReady():
                    present[line.node] = line.kind
                case NodeGone(left=True):
                    present.pop(line.node, None)
                case ModelLoaded():
                    version = max(version, 0)
                case OpenRound():
                    attempt = OpenAttempt(
                        round=line.round, number=line.attempt, goal=line.goal, root=line.root
                    )
                    parts = {part.assignment: part for part in line.parts}
                case Enlist():
                    parts[line.part.assignment] = line.part
                case Commit():
                    version, round, value_range, attempt = line.version, line.round, line.value_range, None
                    norms.append(line.norm)
                    pairs = zip(line.workers, line.assignments, strict=True)
                    for assignment in line.assignments:
                        parts.pop(assignment, None)
                    committed.update((node, (assignment, version)) for node, assignment in pairs)
                    if line.root:
                        committed[line.root.node] = (line.root.assignment, version)
                    owed.update((one.assignment, one) for one in line.evaluations)
                case UpdateRefused(round=at, code=code) if at and code != "stale":
                    strikes[line.node] += 1
                case EvaluationDone() if line.assignment in owed and owed[line.assignment].worker:
                    one = owed.pop(line.assignment)
                    answers[one.round, line.node] = WorkerAnswer(
                        round=one.round,
                        version=one.version,
                        node=line.node,
                        examples=line.examples,
                        metrics=line.metrics,
                    )
                case Evaluated() | WorkersEvaluated() | EvaluationSkipped():
                    key = (line.round, getattr(line, "subject", "workers"))
                    owed = {number: one for number, one in owed.items() if (one.round, one.subject) != key}
                    if key[1] == "workers":
                        answers = {each: one for each, one in answers.items() if each[0] != line.round}
                    if not isinstance(line, EvaluationSkipped):
                        evaluations.append(
                            PastEvaluation(
                                round=line.round, version=line.version, subject=key[1], metrics=line.metrics
                            )
                        )
        if version < 0:
            return None
        return ResumePoint(
            version=version,
            round=round,
            value_range=value_range,
            norms=tuple(norms),
            strikes=strikes,
            committed=committed,
            owed=tuple(owed.values()),
            answers=tuple(answers.values()),
            evaluations=tuple(evaluations),
            evaluated=any(isinstance(line, Evaluated) for line in self.lines),
            evaluator_seen="evaluator" in self._kinds(),
            present=tuple(node for node, kind in present.items() if kind == "worker"),
            attempt=attempt,
            under_way=tuple(parts.values()),
        )

    def _kinds(self) -> set[str]:
        return {line.kind for line in self.lines if isinstance(line, NodeReady)}
