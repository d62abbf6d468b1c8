"""What the evaluator owes. Training never waits for it, except at the very end.

Each evaluation of one subject is an assignment of its own. One evaluator, the first by name, is asked for
all; if it goes away, its assignments are asked again of whoever comes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from zfed.engine import (
    Action,
    Ask,
    AskEvaluate,
    Cancel,
    EvaluationDone,
    NodeReady,
    OwedEvaluation,
    ReleaseModels,
    Tell,
)
from zfed.facts import Evaluated, EvaluationSkipped
from zfed.wire.messages import AssignmentId

FEDERATED = "federated"
WORKERS = "workers"
"""The subject under which the common model is reported as the workers found it."""

MAX_OWED_ROUNDS = 4


@dataclass
class EvaluationDesk:
    """The evaluations that were wanted and are not done yet, oldest first.

    Attributes:
        owed: What is wanted.
        any_done: Whether any result came.
        recording: Those of `owed` whose result is being written: they are not given up any more.
        validation: Whether decisions are made by the results about the common model.
    """

    owed: dict[AssignmentId, OwedEvaluation] = field(default_factory=dict)
    any_done: bool = False
    recording: set[AssignmentId] = field(default_factory=set)
    validation: bool = False
    _asked_of: dict[AssignmentId, str] = field(default_factory=dict)

    def owe(self, evaluations: Iterable[OwedEvaluation]) -> list[Action]:
        """Want these evaluations, all of one round; drops the oldest round if too many are owed."""
        wanted = list(evaluations)
        if not wanted:
            return []
        actions: list[Action] = []
        rounds = sorted({owed.round for owed in self.owed.values()})
        if len(rounds) >= MAX_OWED_ROUNDS:
            actions = self.skip(
                rounds[0], f"more than {MAX_OWED_ROUNDS} rounds were waiting for an evaluator"
            )
        self.owed.update((owed.assignment, owed) for owed in wanted)
        return actions

    def ask(self, evaluators: list[NodeReady]) -> list[Action]:
        """Hand all that nobody present works on to the first evaluator."""
        present = {node.node for node in evaluators}
        actions: list[Action] = []
        for assignment, owed in self.owed.items():
            if evaluators and self._asked_of.get(assignment) not in present:
                self._asked_of[assignment] = evaluators[0].node
                actions.append(_order(owed, evaluators[0].node))
        return actions

    def awaited(self, node: str) -> list[Ask]:
        """The orders that this evaluator has not answered yet."""
        return [_order(owed, node) for owed in self.owed.values() if self.is_asked(node, owed.assignment)]

    def gone(self, node: str) -> None:
        """An evaluator went away: what it was asked for is open again."""
        self._asked_of = {key: asked for key, asked in self._asked_of.items() if asked != node}

    def is_asked(self, node: str, assignment: AssignmentId) -> bool:
        """True if this node was asked for this evaluation and has not answered yet."""
        return assignment in self.owed and self._asked_of.get(assignment) == node

    def done(self, event: EvaluationDone) -> list[Action]:
        """Take a result that is on disk; one that is not owed (any more) changes nothing.

        While it was written its evaluator may have gone and another been asked, which may stop now.
        """
        if event.assignment not in self.owed:
            return []
        actions: list[Action] = []
        asked_of = self._asked_of.get(event.assignment, event.node)
        if asked_of != event.node:
            actions = [Cancel(node=asked_of, assignment=event.assignment, reason="it is done already")]
        owed = self._drop(event.assignment)
        self.any_done = True
        fact = Evaluated(
            round=owed.round,
            subject=owed.subject,
            evaluator=event.node,
            examples=event.examples,
            metrics=event.metrics,
            version=owed.version,
            validation=self.validation and owed.subject == FEDERATED,
        )
        return [*actions, Tell(fact=fact), *self._release(owed)]

    def failed(self, node: str, assignment: AssignmentId, reason: str) -> list[Action]:
        """An evaluation raised at its evaluator; asking again would raise again."""
        if not self.is_asked(node, assignment):
            return []
        owed = self._drop(assignment)
        return [self._skipped(owed, reason), *self._release(owed)]

    def skip(self, round: int | None, reason: str) -> list[Action]:
        """Give up what is owed for a round (None: for all)."""
        actions: list[Action] = []
        for assignment, owed in list(self.owed.items()):
            if (round is None or owed.round == round) and assignment not in self.recording:
                if asked_of := self._asked_of.get(assignment):
                    actions.append(Cancel(node=asked_of, assignment=assignment, reason=reason))
                self._drop(assignment)
                actions += [self._skipped(owed, reason), *self._release(owed)]
        return actions

    def _drop(self, assignment: AssignmentId) -> OwedEvaluation:
        self._asked_of.pop(assignment, None)
        return self.owed.pop(assignment)

    def _release(self, owed: OwedEvaluation) -> list[Action]:
        if any(other.round == owed.round for other in self.owed.values()):
            return []
        return [ReleaseModels(round=owed.round)]

    def _skipped(self, owed: OwedEvaluation, reason: str) -> Action:
        return Tell(fact=EvaluationSkipped(round=owed.round, subject=owed.subject, reason=reason))


def _order(owed: OwedEvaluation, node: str) -> AskEvaluate:
    return AskEvaluate(
        node=node,
        assignment=owed.assignment,
        round=owed.round,
        version=owed.version,
        subject=owed.subject,
    )
