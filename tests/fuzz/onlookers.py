"""Everybody who may watch a node: in a real one they are told by its pump, so they must bear any fact."""

from __future__ import annotations

import io
from typing import Final

from rich.console import Console

from zfed.facts import Fact
from zfed.telemetry.groups import parse_groups
from zfed.telemetry.json_lines import JsonObserver
from zfed.telemetry.lines import LinesObserver
from zfed.telemetry.output import LastingStream
from zfed.telemetry.table import TableObserver

GROUPS: Final = parse_groups(("0-3", "4-6", "7-9"))
DRAWN_EVERY: Final = 25
"""Facts: in a real node the live table is drawn a few times a second."""


class Onlookers:
    """Each kind of output, to nowhere."""

    def __init__(self) -> None:
        self._console = Console(file=_Nowhere(), width=100, height=40, force_terminal=True)
        self._table = TableObserver(self._console, groups=GROUPS)
        nowhere = LastingStream(_Nowhere())
        self._observers = (LinesObserver(nowhere, groups=GROUPS), JsonObserver(nowhere), self._table)
        self._told = 0

    def __call__(self, fact: Fact) -> None:
        """Show a fact in each way."""
        for observer in self._observers:
            observer(fact)
        self._told += 1
        if self._told % DRAWN_EVERY == 0:
            self._console.print(self._table.draw())


class _Nowhere(io.StringIO):
    def write(self, text: str) -> int:
        return len(text)
