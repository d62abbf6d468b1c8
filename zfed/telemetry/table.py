"""Facts as a live table on a terminal, with what should last written above it."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO, cast

from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from zfed.facts import (
    Connecting,
    Disconnected,
    Evaluated,
    EvaluationSkipped,
    Fact,
    NodeLeft,
    NodeRefused,
    NothingToWatch,
    Progress,
    RoundCommitted,
    RoundOpened,
    RoundRetried,
    RunEnded,
    StateNoted,
    TaskFailed,
    UpdateAccepted,
    UpdateRefused,
    Waiting,
    WorkerBenched,
    WorkersEvaluated,
    WorkGivenUp,
)
from zfed.telemetry.board import Board
from zfed.telemetry.evaluation_rounds import EvaluationRounds
from zfed.telemetry.evaluation_table import evaluation_table, spread_rows
from zfed.telemetry.groups import LabelGroup
from zfed.telemetry.narrator import Narrator
from zfed.telemetry.output import LastingStream
from zfed.telemetry.sentences import INSECURE
from zfed.telemetry.view import draw_board

REFRESHES_PER_S = 4

_NOT_IN_LINES = (
    *(Connecting, Waiting, RoundOpened, Progress, UpdateAccepted, RoundCommitted),  # the board shows them
    *(Evaluated, WorkersEvaluated),  # tables of their own do
)
_STYLES: dict[type[Fact], str] = {
    NodeRefused: "red",
    UpdateRefused: "red",
    WorkerBenched: "red",
    TaskFailed: "red",
    RoundRetried: "yellow",
    NodeLeft: "yellow",
    Disconnected: "yellow",
    StateNoted: "yellow",
    WorkGivenUp: "yellow",
    EvaluationSkipped: "yellow",
    NothingToWatch: "yellow",
}
_END_STYLES = {"completed": "bold green", "stopped": "bold yellow", "failed": "bold red"}


class TableObserver:
    """Keeps the board and prints what lasts; may be called from any thread.

    Args:
        console: Where to print.
        groups: Classes shown together in evaluations.
        clock: Seconds, never going back.
    """

    def __init__(
        self,
        console: Console,
        *,
        groups: tuple[LabelGroup, ...] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._console = console
        self._groups = groups
        self._clock = clock
        self._board = Board()
        self._narrator = Narrator(groups)
        self._evaluations = EvaluationRounds()
        self._lock = threading.Lock()

    def __call__(self, fact: Fact) -> None:
        """Take a fact into the board, and print it if it should last."""
        # Printing locks rich's live area, and drawing that asks for our lock: never print while holding it.
        with self._lock:
            now = self._clock()
            self._board.take(fact, now)
            ended = self._evaluations.take(fact)
            lines = self._narrator.lines(fact, now)
        for evaluated in ended:
            self._print_evaluations(evaluated, "")
        if isinstance(fact, WorkersEvaluated):
            self._print_evaluations(spread_rows(fact), ", held-out data")
        if not isinstance(fact, _NOT_IN_LINES):
            self._print_lines(fact, lines)

    def draw(self) -> RenderableType:
        """The board as it is now, for the console's size."""
        with self._lock:
            return draw_board(
                self._board,
                self._evaluations.pending,
                self._groups,
                width=self._console.width,
                height=self._console.height,
                now=self._clock(),
            )

    def _print_evaluations(self, evaluated: list[Evaluated], which: str) -> None:
        purpose = ", validation" if any(fact.validation for fact in evaluated) else ""
        title = f"round {evaluated[0].round}{which}{purpose}"
        width = self._console.width
        self._console.print(evaluation_table(evaluated, self._groups, width=width, title=title), "")

    def _print_lines(self, fact: Fact, lines: list[str]) -> None:
        style = _STYLES.get(type(fact), "")
        for place, line in enumerate(lines):
            if INSECURE in line:
                self._console.print(Text(line, "bold red"))
            elif isinstance(fact, RunEnded) and place == 0:
                self._console.print(Text(line, _END_STYLES.get(fact.status, "bold")))
            else:
                self._console.print(Text(line, style))


@contextmanager
def open_table(stream: LastingStream, *, groups: tuple[LabelGroup, ...] = ()) -> Iterator[TableObserver]:
    """A table observer whose live area is redrawn a few times a second until the context ends.

    What the program prints meanwhile appears above the live area.
    """
    console = Console(file=cast("TextIO", stream), highlight=False, force_terminal=True, force_jupyter=False)
    observer = TableObserver(console, groups=groups)
    with Live(
        console=console,
        get_renderable=observer.draw,
        refresh_per_second=REFRESHES_PER_S,
        transient=True,
        redirect_stdout=stream.isatty(),
        redirect_stderr=stream.isatty() and sys.stderr.isatty(),
    ):
        yield observer
