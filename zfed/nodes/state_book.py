"""Which assignment of a run left what, and what of it counts. Pure: every change gives another book.

An assignment's state is *pending* until the coordinator has said what became of its update, and then either
counts or is forgotten. The newest state that counts is what the next assignment begins with; the one before
it stays, in case that the newest is damaged, or the coordinator has to go back by a version.
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec.structs import replace

from zfed.wire.messages import AssignmentId

MOST_COUNTED: Final = 2


class StateFile(msgspec.Struct, frozen=True, kw_only=True):
    """Where a state lies.

    Attributes:
        name: Of the file in its folder.
        digest: Of what is in it, as `zfed.checkpoint.content_digest`.
        local: Digest of the layout of its local tensors, empty if there are none.
        level: Of what encoding lost, empty if nothing was encoded.
    """

    name: str
    digest: str
    local: str = ""
    level: str = ""


class StateEntry(msgspec.Struct, frozen=True, kw_only=True):
    """What one assignment, which started from model version `version`, left; no `file` if that is nothing."""

    number: AssignmentId
    version: int
    file: StateFile | None = None


class StateBook(msgspec.Struct, frozen=True, kw_only=True):
    """The states of one run.

    Attributes:
        counted: The newest that count, the newest last.
        pending: Those of which nobody knows yet.
    """

    counted: tuple[StateEntry, ...] = ()
    pending: tuple[StateEntry, ...] = ()

    @property
    def current(self) -> StateEntry | None:
        """What the next assignment begins with; None for what every run begins with."""
        return self.counted[-1] if self.counted else None

    @property
    def entries(self) -> tuple[StateEntry, ...]:
        """All of them."""
        return (*self.counted, *self.pending)

    def added(self, entry: StateEntry) -> StateBook:
        """An assignment is done; what it left when it was done before is forgotten."""
        return replace(self, pending=(*self.dropped(entry.number).pending, entry))

    def kept(self, number: AssignmentId) -> StateBook:
        """An assignment counts."""
        found = tuple(entry for entry in self.pending if entry.number == number)
        counted = (*self.counted, *found)[-MOST_COUNTED:]
        return replace(self.dropped(number), counted=counted)

    def dropped(self, number: AssignmentId) -> StateBook:
        """An assignment does not count."""
        return replace(self, pending=tuple(entry for entry in self.pending if entry.number != number))

    def renamed(self, old: AssignmentId, new: AssignmentId) -> StateBook:
        """An assignment has another number now."""
        pending = (
            replace(entry, number=new) if entry.number == old else entry
            for entry in self.pending
            if entry.number != new
        )
        return replace(self, pending=tuple(pending))

    def settled(self, counted: AssignmentId, version: int) -> StateBook:
        """The next assignment starts from `version`, and `counted` is the last that counts.

        Whatever is newer than that does not count any more: the coordinator went back to an older version.
        """
        book = self.kept(counted)
        numbers = [entry.number for entry in book.counted]
        until = numbers.index(counted) + 1 if counted in numbers else len(numbers)
        return replace(
            book,
            counted=tuple(entry for entry in book.counted[:until] if entry.version < version),
            pending=tuple(entry for entry in book.pending if entry.version >= version),
        )

    def without(self, number: AssignmentId) -> StateBook:
        """A state that counted is not readable any more."""
        return replace(self, counted=tuple(entry for entry in self.counted if entry.number != number))
