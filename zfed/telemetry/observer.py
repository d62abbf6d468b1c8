"""Chooses who watches: a live table, plain lines or JSON."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

from zfed.errors import UsageError
from zfed.facts import Observer
from zfed.telemetry.groups import parse_groups
from zfed.telemetry.json_lines import JsonObserver
from zfed.telemetry.lines import LinesObserver
from zfed.telemetry.output import LastingStream

FORMATS = ("auto", "table", "lines", "json")


@contextmanager
def open_observer(
    format: str = "auto", *, groups: Sequence[str] = (), stream: TextIO | None = None
) -> Iterator[Observer]:
    """An observer that shows every fact it is called with, from any thread.

    Args:
        format: "table" (live, for a terminal), "lines" (no control characters), "json" (one fact a line) or
            "auto": table on a terminal, lines elsewhere.
        groups: Classes shown together, `[evaluate] groups`, as `["0-3", "4-6", "7-9"]`.
        stream: Where to write; standard output if None. If it breaks, the observer falls silent.

    Raises:
        UsageError: If the format or a group is none.
    """
    if format not in FORMATS:
        raise UsageError(f"report format {format!r}: expected {', '.join(FORMATS[:-1])} or {FORMATS[-1]}")
    label_groups = parse_groups(groups)
    output = LastingStream(sys.stdout if stream is None else stream)
    if format == "auto":
        format = "table" if output.isatty() and os.environ.get("TERM") != "dumb" else "lines"
    if format == "json":
        yield JsonObserver(output)
    elif format == "lines":
        yield LinesObserver(output, groups=label_groups)
    else:
        from zfed.telemetry.table import open_table  # rich: a node in a pipe does without it

        with open_table(output, groups=label_groups) as observer:
            yield observer
