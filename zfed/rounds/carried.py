"""What goes on while no round is open: from the close of one round until the next one takes it over."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from zfed.engine import Accept, Action, Cancel, Keep, UpdateStaged, UpdateUnfit
from zfed.rounds.attempt import Attempt
from zfed.rounds.cohort import Roster
from zfed.rounds.parts import Part, UnderWay
from zfed.rounds.refusals import Refusals
from zfed.wire.messages import AssignmentId


@dataclass
class Carried:
    """Parts that outlive their round, at most one of each worker; empty while a round is open.

    Only a schedule that carries work on ever has any.
    """

    _parts: dict[str, UnderWay] = field(default_factory=dict)

    @property
    def versions(self) -> list[int]:
        """The versions from which workers go on."""
        return [each.part.version for each in self._parts.values()]

    def find(self, node: str, assignment: AssignmentId) -> Part | None:
        """The part of this number, if it is this worker's."""
        each = self._parts.get(node)
        return each.part if each is not None and each.part.assignment == assignment else None

    def add(self, parts: Iterable[UnderWay]) -> None:
        """Keep these for the next round."""
        self._parts.update((each.part.node, each) for each in parts)

    def ask_all(self) -> None:
        """No round is opened at once: what is offered meanwhile has to be offered again then."""
        for each in self._parts.values():
            each.ask = True

    def back(self, worker: str) -> None:
        """A worker is here again."""
        if each := self._parts.get(worker):
            each.lost_until, each.ask = None, True

    def lost(self, worker: str, until: float) -> None:
        """A worker went away and has until then to come back."""
        if each := self._parts.get(worker):
            each.lost_until = until

    def forget(self, worker: str) -> None:
        """A worker will not come back. An update of it that is here counts all the same."""
        if (each := self._parts.get(worker)) and each.part.state == "asked":
            del self._parts[worker]

    def came(
        self, part: Part, event: UpdateStaged | UpdateUnfit, round: int, refusals: Refusals
    ) -> list[Action]:
        """An update came: it waits for the next round, if it is good."""
        if isinstance(event, UpdateUnfit):
            del self._parts[part.node]
            return refusals.refused(part.node, part.assignment, round, event.flaw)
        accept = Accept(node=part.node, assignment=part.assignment)
        if part.state == "waiting":
            return [accept]
        part.result, part.state = event, "waiting"
        return [accept, Keep(assignment=part.assignment)]

    def hand_over(self, attempt: Attempt, roster: Roster) -> list[Action]:
        """Let an attempt go on with all of it; returns what has to be said of what is too stale by now."""
        actions: list[Action] = []
        for node, each in self._parts.items():
            here = node in roster
            lost_until = None if here else (each.lost_until or attempt.opened_at)
            actions += attempt.adopt(each.part, lost_until=lost_until, ask=here and each.ask)
        self._parts.clear()
        return actions

    def cancel(self, reason: str) -> list[Action]:
        """Nothing of it is wanted any more."""
        parts = [each.part for each in self._parts.values()]
        self._parts.clear()
        return [Cancel(node=part.node, assignment=part.assignment, reason=reason) for part in parts]
