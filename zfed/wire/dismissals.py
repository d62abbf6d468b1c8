"""Connections whose nodes were told to go: heard no more, and ended if they do not go by themselves."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

LEAVE_S: Final = 2.0
"""How long a node has to read why it is refused: its connection, once ended, delivers nothing more."""

MOST: Final = 4096


@dataclass(eq=False)
class Dismissals:
    """Routes on which REFUSED was the last word."""

    _leaving: dict[bytes, float] = field(default_factory=dict)
    _until: dict[bytes, float] = field(default_factory=dict)

    def __contains__(self, route: bytes) -> bool:
        return route in self._leaving

    def __len__(self) -> int:
        return len(self._leaving)

    def add(self, route: bytes, leave_s: float = LEAVE_S) -> None:
        """Its node is told to go within so many seconds of the next `overdue`."""
        self._leaving.setdefault(route, leave_s)

    def forget(self, route: bytes) -> None:
        """There is no connection behind this route any more."""
        self._leaving.pop(route, None)
        self._until.pop(route, None)

    def overdue(self, now: float) -> list[bytes]:
        """Whose time is up; they are forgotten. Of too many the first are."""
        spare = len(self._leaving) - MOST
        due = [
            route
            for place, route in enumerate(self._leaving)
            if place < spare or now >= self._until.get(route, math.inf)
        ]
        for route in due:
            self.forget(route)
        for route, leave_s in self._leaving.items():
            self._until.setdefault(route, now + leave_s)
        return due
