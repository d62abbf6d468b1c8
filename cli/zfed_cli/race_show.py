"""What `zfed simulate` prints."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.live import Live

    from zfed.race import Course, RacePlan


class RaceShow:
    """Shows a race: how far it is on a terminal's stderr, each course that has ended, and all in the end.

    Args:
        plan: What races.
        format: table, lines or json; auto: table on a terminal, lines elsewhere.
    """

    def __init__(self, plan: RacePlan, format: str) -> None:
        if format == "auto":
            format = "table" if sys.stdout.isatty() else "lines"
        self._format = format
        self._plan = plan
        self._live: Live | None = None

    def __enter__(self) -> None:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.live import Live

            # What goes to a pipe must not be redirected with the rest
            self._live = Live(
                "loading the data",
                console=Console(stderr=True, highlight=False, markup=False),
                transient=True,
                redirect_stdout=sys.stdout.isatty(),
                redirect_stderr=False,
            )
            self._live.start()

    def __exit__(self, *exception: object) -> None:
        if self._live:
            self._live.stop()

    def __call__(self, course: Course) -> None:
        """Take a course that has changed."""
        from zfed.race import line, progress, record

        if self._live:
            self._live.update(progress(course, self._plan))
        if course.ending and self._format == "json":
            print(json.dumps(record(course)), flush=True)
        elif course.ending and self._format == "lines":
            print(line(course, self._plan), flush=True)

    def end(self, courses: Sequence[Course]) -> None:
        """Show what is shown of all courses together."""
        if self._format == "table":
            print_table(courses, self._plan)


def print_table(courses: Sequence[Course], plan: RacePlan) -> None:
    """Show a race on a terminal."""
    from rich.console import Console

    from zfed.race import heading, rows
    from zfed.telemetry.columns import Column, draw

    console = Console(highlight=False)
    console.print(heading(plan), markup=False)
    found = rows(courses)
    columns = [
        Column(title="time", cells=[row.time for row in found], need=0),
        Column(title="speed", cells=[row.speed for row in found], need=1),
        Column(title="versions", cells=[row.versions for row in found], need=3),
        Column(title="updates", cells=[row.updates for row in found], need=2),
        Column(title="workers", cells=[row.workers for row in found], need=4),
        Column(title="unused", cells=[row.unused for row in found], need=4),
        Column(title="traffic", cells=[row.traffic for row in found], need=5),
        Column(title="staleness", cells=[row.staleness for row in found], need=6),
        Column(title="accuracy", cells=[row.accuracy for row in found], need=2),
    ]
    names = Column(title="schedule", cells=[row.schedule for row in found], need=0)
    console.print(draw(names, columns, console.width))
