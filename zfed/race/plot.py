"""Draws accuracy over virtual time, a line for each schedule."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from zfed.errors import UsageError
from zfed.race.course import Course

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LOG_SCALE_FROM: Final = 20.0
"""Where the longest course takes so many times as long as the shortest, time has a logarithmic axis."""


def check_plot(path: Path) -> None:
    """Find out before a long race whether it can be drawn.

    Raises:
        UsageError: If matplotlib is missing, or there is no such folder.
    """
    try:
        import matplotlib.figure  # noqa: F401  # only whether it is there
    except ImportError:
        raise UsageError("--plot needs matplotlib: pip install 'zfed[plot]'") from None
    if not path.absolute().parent.is_dir():
        raise UsageError(f"--plot {path}: there is no folder {path.absolute().parent}")


def draw_race(courses: Sequence[Course], target: float, title: str, path: Path) -> None:
    """Draw courses into a PNG file, which is replaced as a whole.

    Raises:
        UsageError: If it cannot be written.
    """
    # The figure is made without pyplot, which would keep it in global state and look for a display.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.0), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.axhline(100 * target, color="#888888", linewidth=0.8, linestyle="--")
    for course in courses:
        if course.points:
            _draw(axes, course)
    ends = [course.points[-1].at_s for course in courses if course.points]
    if ends and max(ends) / min(ends) >= LOG_SCALE_FROM:
        axes.set_xscale("log")
    axes.set_title(title, fontsize=10, loc="left")
    axes.set_xlabel("virtual seconds")
    axes.set_ylabel("accuracy on the test data, %")
    axes.grid(alpha=0.25, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    if ends:
        axes.legend(frameon=False, fontsize=9)
    temporary = path.with_name(path.name + ".part")
    try:
        figure.savefig(temporary, format="png")
        os.replace(temporary, path)
    except OSError as error:
        raise UsageError(f"--plot {path} cannot be written: {error.strerror}") from error


def _draw(axes: Axes, course: Course) -> None:
    times = [point.at_s for point in course.points]
    (drawn,) = axes.plot(times, [100 * point.accuracy for point in course.points], linewidth=1.5)
    drawn.set_label(course.label)
    if course.arrival:
        arrival = course.arrival
        axes.plot(arrival.at_s, 100 * arrival.accuracy, "o", color=drawn.get_color(), markersize=5)
