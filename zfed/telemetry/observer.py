"""Chooses who watches: plain lines or JSON."""

from __future__ import annotations

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
        format: "lines" and "table" (no control characters), "json" (one fact a line) or
            "auto": lines.
        groups: Classes shown together, `[evaluate] groups`, as `["0-3", "4-6", "7-9"]`.
        stream: Where to write; standard output if None. If it breaks, the observer falls silent.

    Raises:
        UsageError: If the format or a group is none.
    """
    if format not in FORMATS:
        raise UsageError(f"report format {format!r}: expected {', '.join(FORMATS[:-1])} or {FORMATS[-1]}")
    label_groups = parse_groups(groups)
    output = LastingStream(sys.stdout if stream is None else stream)
    if format == "json":
        yield JsonObserver(output)
    else:
        yield LinesObserver(output, groups=label_groups)
