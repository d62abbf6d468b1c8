"""What the evaluator owes. Training never waits for it, except at the very end.

Each evaluation of one subject is an assignment of its own. One evaluator, the first by name, is asked for
all; if it goes away, its assignments are asked again of whoever comes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from zfed.engine import Action, AskEvaluate, Cancel, EvaluationDone, NodeReady, ReleaseModels, Tell
from zfed.facts import Evaluated, EvaluationSkipped
from zfed.wire.messages import AssignmentId

FEDERATED = "federated"
MAX_OWED_ROUNDS = 4


@dataclass
class _Owed:
    round: int
    version: int
    subject: str
    asked_of: str = ""


@dataclass
class EvaluationDesk:
    """The evaluations that were wanted and are not done yet, oldest first."""

    owed: dict[AssignmentId, _Owed] = field(default_factory=dict)
    any_done: bool = False

    def owe(self, round: int, version: int, subjects: dict[str, AssignmentId]) -> list[Action]:
        """Want these subjects evaluated; drops the oldest round if too many are owed."""
        actions: list[Action] = []
        rounds = sorted({owed.round for owed in self.owed.values()})
        if len(rounds) >= MAX_OWED_ROUNDS:
            actions = self.skip(
                rounds[0], f"more than {MAX_OWED_ROUNDS} rounds were waiting for an evaluator"
            )
        for subject, assignment in subjects.items():
            self.owed[assignment] = _Owed(round, version, subject)
        return actions

    def ask(self, evaluators: list[NodeReady]) -> list[Action]:
        """Hand all that nobody present works on to the first evaluator."""
        present = {node.node for node in evaluators}
        actions: list[Action] = []
        for assignment, owed in self.owed.items():
            if not evaluators or owed.asked_of in present:
                continue
            owed.asked_of = evaluators[0].node
            actions.append(
                AskEvaluate(
                    node=owed.asked_of,
                    assignment=assignment,
                    round=owed.round,
                    version=owed.version,
                    subject=owed.subject,
                )
            )
        return actions

    def gone(self, node: str) -> None:
        """An evaluator went away: what it was asked for is open again."""
        for owed in self.owed.values():
            if owed.asked_of == node:
                owed.asked_of = ""

    def is_asked(self, node: str, assignment: AssignmentId) -> bool:
        """True if this node was asked for this evaluation and has not answered yet."""
        owed = self.owed.get(assignment)
        return owed is not None and owed.asked_of == node

    def done(self, event: EvaluationDone) -> list[Action]:
        """Take a result; one that is not owed (any more) changes nothing."""
        if not self.is_asked(event.node, event.assignment):
            return []
        owed = self.owed.pop(event.assignment)
        self.any_done = True
        fact = Evaluated(
            round=owed.round,
            subject=owed.subject,
            evaluator=event.node,
            examples=event.examples,
            metrics=event.metrics,
        )
        return [Tell(fact=fact), *self._release(owed)]

    def failed(self, node: str, assignment: AssignmentId, reason: str) -> list[Action]:
        """An evaluation raised at its evaluator; asking again would raise again."""
        if not self.is_asked(node, assignment):
            return []
        owed = self.owed.pop(assignment)
        return [self._skipped(owed, reason), *self._release(owed)]

    def skip(self, round: int | None, reason: str) -> list[Action]:
        """Give up what is owed for a round (None: for all)."""
        actions: list[Action] = []
        for assignment, owed in list(self.owed.items()):
            if round is None or owed.round == round:
                del self.owed[assignment]
                if owed.asked_of:
                    actions.append(Cancel(node=owed.asked_of, assignment=assignment, reason=reason))
                actions += [self._skipped(owed, reason), *self._release(owed)]
        return actions

    def _release(self, owed: _Owed) -> list[Action]:
        if any(other.round == owed.round for other in self.owed.values()):
            return []
        return [ReleaseModels(round=owed.round)]

    def _skipped(self, owed: _Owed, reason: str) -> Action:
        return Tell(fact=EvaluationSkipped(round=owed.round, subject=owed.subject, reason=reason))
