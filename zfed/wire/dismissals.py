"""Connections whose nodes were told to go: heard no more, and ended if they do not go by themselves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

LEAVE_S: Final = 2.0
"""How long a node has to read why it is refused: its connection, once ended, delivers nothing more."""

MOST: Final = 4096


@dataclass(eq=False)
class Dismissals:
    """Routes on which REFUSED was the last word."""

    _until: dict[bytes, float | None] = field(default_factory=dict)

    def __contains__(self, route: bytes) -> bool:
        return route in self._until

    def __len__(self) -> int:
        return len(self._until)

    def add(self, route: bytes) -> None:
        """Its node is told to go; time runs from the next `overdue`."""
        self._until.setdefault(route, None)

    def forget(self, route: bytes) -> None:
        """There is no connection behind this route any more."""
        self._until.pop(route, None)

    def overdue(self, now: float) -> list[bytes]:
        """Whose time is up; they are forgotten. Of too many the first are."""
        due: list[bytes] = []
        for route, until in self._until.items():
            if until is None:
                self._until[route] = now + LEAVE_S
            if (until is not None and now >= until) or len(self._until) - len(due) > MOST:
                due.append(route)
        for route in due:
            del self._until[route]
        return due
