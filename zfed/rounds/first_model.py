"""Whom the first model is asked of, if no file holds it."""

from __future__ import annotations

from dataclasses import dataclass, field

from zfed.engine import Ask, AskModel
from zfed.rounds.cohort import Roster
from zfed.wire.messages import AssignmentId


@dataclass
class FirstModel:
    """One node is asked at a time: evaluators, then workers, first those that are ready; by their names.

    A node that could not give a model is not asked again. One that only went away is, if it comes back and
    nobody else is being asked; so is one that did not answer in time, once the others have been asked.

    Attributes:
        node: Who is being asked; empty if nobody is.
        refusals: Why each node that was asked gave none.
    """

    node: str = ""
    refusals: dict[str, str] = field(default_factory=dict)
    _late: set[str] = field(default_factory=set)
    _assignment: AssignmentId | None = None

    def candidate(self, roster: Roster) -> str:
        """Who is to be asked next; empty if nobody who is here can be."""
        workers = sorted(roster.workers, key=lambda node: bool(node.unready))  # to draw one takes a moment
        present = [node.node for node in (*roster.evaluators, *workers)]
        able = [node for node in present if node not in self.refusals]
        if able and self._late.issuperset(able):
            self._late.clear()
        return next((node for node in able if node not in self._late), "")

    def ask(self, node: str, assignment: AssignmentId) -> AskModel:
        """Ask this node."""
        self.node, self._assignment = node, assignment
        return AskModel(node=node, assignment=assignment)

    def awaited(self, node: str) -> list[Ask]:
        """The order, if it is this node that is being asked."""
        if node != self.node or self._assignment is None:
            return []
        return [AskModel(node=node, assignment=self._assignment)]

    def is_asked(self, node: str, assignment: AssignmentId) -> bool:
        """True if this is the order that is waited for."""
        return bool(self.node) and (node, assignment) == (self.node, self._assignment)

    def give_up(self) -> AssignmentId | None:
        """Wait for this order no longer; returns its number."""
        number, self.node, self._assignment = self._assignment, "", None
        return number

    def overdue(self) -> AssignmentId | None:
        """Who is being asked has not answered in time; returns the order's number."""
        if self.node:
            self._late.add(self.node)
        return self.give_up()

    def refused(self, reason: str) -> None:
        """Who is being asked has none to give."""
        self.refusals[self.node] = reason
        self.give_up()

    def failure(self) -> str:
        """Why there is no first model, in words."""
        reasons = "; ".join(f"{node}: {reason}" for node, reason in self.refusals.items())
        return f"nobody gave a first model{f' ({reasons})' if reasons else ''}; give one with --initial"
