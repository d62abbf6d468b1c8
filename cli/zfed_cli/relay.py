"""What children write, shown to a person: the coordinator's facts by observers, all else with a name."""

from __future__ import annotations

import io
import sys
from contextlib import ExitStack
from types import TracebackType
from typing import TextIO, cast

import msgspec

from zfed.facts import AnyFact, Evaluated, EvaluationSkipped, Observer, Progress, RunEnded, from_builtins
from zfed.processes import Child
from zfed.telemetry import open_observer

_TOLD_BY_COORDINATOR = (Evaluated, EvaluationSkipped, Progress)
"""What a node tells about its work, the coordinator tells too: once is enough on one console."""


class Relay:
    """Passes on what children write: facts as JSON, and other lines, such as warnings and tracebacks.

    Args:
        width: Characters of the longest name of a child.
        aside: Keep standard output for the observers, and show all else on standard error.

    Attributes:
        run_ended: True once the coordinator has said that the run is over.
    """

    def __init__(self, width: int, *, aside: bool = False) -> None:
        self._width = width
        self._aside = aside
        self._coordinator: Child | None = None
        self._observers: tuple[Observer, ...] = ()
        self._narrators: dict[str, Observer] = {}
        self._open = ExitStack()
        self.run_ended = False

    def __enter__(self) -> Relay:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def observe(self, coordinator: Child, *observers: Observer) -> None:
        """Give the facts of this child to observers, in this order."""
        self._coordinator = coordinator
        self._observers = observers

    def pass_on(self, child: Child, line: str) -> None:
        """Take one line of a child."""
        fact = _fact(line)
        if fact is None:
            self._show(child.name, line)
        elif child is self._coordinator:
            self.run_ended = self.run_ended or isinstance(fact, RunEnded)
            for observer in self._observers:
                observer(fact)
        elif not _is_told_by_coordinator(fact):
            self._narrator(child.name)(fact)

    def _narrator(self, name: str) -> Observer:
        """Tells a node's facts in words, each line with the node's name."""
        if name not in self._narrators:
            stream = cast("TextIO", _NamedLines(self, name))
            self._narrators[name] = self._open.enter_context(open_observer("lines", stream=stream))
        return self._narrators[name]

    def _show(self, name: str, line: str) -> None:
        # The stream of this moment: a live table on it has put its own in place, and moves down to make room.
        print(f"{name:>{self._width}} | {line}", file=sys.stderr if self._aside else sys.stdout, flush=True)


class _NamedLines(io.TextIOBase):
    """A stream whose whole lines go to a relay under a name."""

    def __init__(self, relay: Relay, name: str) -> None:
        self._relay = relay
        self._name = name
        self._partial = ""

    def write(self, text: str) -> int:
        *whole, self._partial = (self._partial + text).split("\n")
        for line in whole:
            self._relay._show(self._name, line)
        return len(text)


def _is_told_by_coordinator(fact: AnyFact) -> bool:
    return isinstance(fact, _TOLD_BY_COORDINATOR) or (isinstance(fact, RunEnded) and fact.status != "failed")


def _fact(line: str) -> AnyFact | None:
    """The fact that a line holds; None if it is another line."""
    if not line.startswith("{"):
        return None
    try:
        return from_builtins(msgspec.json.decode(line.encode()))
    except msgspec.MsgspecError:
        return None
