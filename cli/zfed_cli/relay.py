"""What children write, shown to a person: the coordinator's facts by observers, all else line by line."""

from __future__ import annotations

import sys

import msgspec

from zfed.facts import AnyFact, Observer, RunEnded, from_builtins
from zfed_cli.fleet import Child


class Relay:
    """Passes lines on.

    Args:
        width: Characters of the longest name.

    Attributes:
        run_ended: True once the coordinator has said that the run is over.
    """

    def __init__(self, width: int) -> None:
        self._width = width
        self._coordinator: Child | None = None
        self._observers: tuple[Observer, ...] = ()
        self.run_ended = False

    def observe(self, coordinator: Child, *observers: Observer) -> None:
        """Give the facts that this child writes as JSON to observers, in this order."""
        self._coordinator = coordinator
        self._observers = observers

    def pass_on(self, child: Child, line: str) -> None:
        """Take one line of a child."""
        fact = _fact(line) if child is self._coordinator else None
        if fact is None:
            # Through sys.stdout at this moment: a live table on it moves down to make room.
            print(f"{child.name:>{self._width}} | {line}", file=sys.stdout, flush=True)
            return
        self.run_ended = self.run_ended or isinstance(fact, RunEnded)
        for observer in self._observers:
            observer(fact)


def _fact(line: str) -> AnyFact | None:
    """The fact that a line holds; None if it is another line, such as a warning or a traceback."""
    if not line.startswith("{"):
        return None
    try:
        return from_builtins(msgspec.json.decode(line.encode()))
    except msgspec.MsgspecError:
        return None
