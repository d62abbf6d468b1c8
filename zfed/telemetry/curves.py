"""Draws a run's curves from its metrics.jsonl: accuracy and loss per round, training loss per worker."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import orjson

from zfed.telemetry.sentences import FEDERATED, WORKERS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

_log = logging.getLogger(__name__)

Curve: TypeAlias = list[tuple[int, float]]
"""Points (round, value), rounds ascending."""

MAX_NAMED = 10
"""With more workers than this, colours and names tell nothing any more: all are drawn alike."""

MAX_MARKED = 12
"""Curves with more points than this have no markers."""

LOG_SCALE_FROM = 20.0
"""Values whose largest is this many times the smallest are drawn on a logarithmic axis."""

_FEDERATED_COLOUR = "#111111"
_CROWD_COLOUR = "#9db4c8"
_SPREAD_COLOUR = "#b5651d"


@dataclass(frozen=True)
class Panel:
    """One pair of axes: a curve for each subject, the federated model's if there is one.

    Among workers who evaluated it, `spread` has the worst and the best value of a round; the curve of the
    subject "workers" is their median.
    """

    title: str
    axis: str
    curves: dict[str, Curve]
    spread: list[tuple[int, float, float]] = field(default_factory=list)


def draw_curves(metrics_path: str | Path, png_path: str | Path) -> bool:
    """Draw what a metrics.jsonl holds into a PNG file, which is replaced as a whole.

    Returns:
        True if it was drawn. False, with the reason in the log, if matplotlib is missing, there is nothing to
        draw, or a file cannot be read or written: no run fails for its curves.
    """
    try:
        panels = read_panels(Path(metrics_path))
        if panels:
            _draw(panels, Path(png_path))
            return True
        reason = f"{metrics_path} holds no accuracy and no loss"
    except ImportError:
        reason = "matplotlib is missing (pip install 'zfed[plot]')"
    except (OSError, ValueError) as error:
        reason = str(error)
    _log.warning("no curves drawn: %s", reason)
    return False


def read_panels(metrics_path: Path) -> list[Panel]:
    """What there is to draw of accuracy and loss in evaluations, and of the workers' loss in training.

    Of two records with the same key (event, round, subject) the later one counts; a torn last line does not.
    """
    accuracy, loss, train = _Values(), _Values(), _Values()
    data: dict[str, str] = {}
    for line in metrics_path.read_bytes().splitlines(keepends=True):
        if not line.endswith(b"\n"):
            continue
        record = orjson.loads(line)
        if record["event"] == "evaluated" and record["subject"] == WORKERS:
            data.setdefault(WORKERS, "validation" if record.get("validation") else "held-out")
            accuracy.note_spread(record, "accuracy", scale=100.0)
            loss.note_spread(record, "loss")
        elif record["event"] == "evaluated":
            data[FEDERATED] = "validation" if record.get("validation") else "test"
            accuracy.note(record["subject"], record["round"], record.get("accuracy"), scale=100.0)
            loss.note(record["subject"], record["round"], record.get("loss"))
        elif record["event"] == "round":
            # Not there for a round whose coordinator died between its commit and its line of metrics
            for worker, part in record.get("per_worker", {}).items():
                train.note(worker, record["round"], part.get("loss"))
    whose = data.get(FEDERATED) or data.get(WORKERS, "")
    panels = [
        Panel(f"Accuracy on the {whose} data", "%", accuracy.curves(), accuracy.spread()),
        Panel(f"Loss on the {whose} data", "mean loss", loss.curves(), loss.spread()),
        Panel("Loss in training, on each worker's data", "mean loss", train.curves()),
    ]
    return [panel for panel in panels if panel.curves]


class _Values:
    """The newest value for each subject and round."""

    def __init__(self) -> None:
        self._values: dict[str, dict[int, float]] = {}
        self._spread: dict[int, tuple[float, float]] = {}

    def note(self, subject: str, round: int, value: object, *, scale: float = 1.0) -> None:
        if isinstance(value, (int, float)):
            self._values.setdefault(subject, {})[round] = scale * value

    def note_spread(self, record: dict[str, Any], metric: str, *, scale: float = 1.0) -> None:
        """Take the median, worst and best of the workers, if they have this metric."""
        if spread := record.get("spread", {}).get(metric):
            self.note(WORKERS, record["round"], spread["median"], scale=scale)
            self._spread[record["round"]] = (scale * spread["worst"], scale * spread["best"])

    def spread(self) -> list[tuple[int, float, float]]:
        return [(round, *ends) for round, ends in sorted(self._spread.items())]

    def curves(self) -> dict[str, Curve]:
        return {subject: sorted(points.items()) for subject, points in self._values.items()}


def _draw(panels: list[Panel], png_path: Path) -> None:
    # The figure is made without pyplot, which would keep it in global state and look for a display.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.8 * len(panels), 3.9), dpi=130, layout="constrained")
    FigureCanvasAgg(figure)
    common = (FEDERATED, WORKERS)
    workers = dict.fromkeys(name for panel in panels for name in panel.curves if name not in common)
    colours = _worker_colours(list(workers))
    for place, panel in enumerate(panels, start=1):
        _draw_panel(figure.add_subplot(1, len(panels), place), panel, colours)
    temporary = png_path.with_name(png_path.name + ".part")
    figure.savefig(temporary, format="png")
    os.replace(temporary, png_path)


def _worker_colours(workers: list[str]) -> dict[str, str]:
    """The same colour for a worker in every panel."""
    if len(workers) > MAX_NAMED:
        return dict.fromkeys(workers, _CROWD_COLOUR)
    return {worker: f"C{place}" for place, worker in enumerate(workers)}


def _draw_panel(axes: Axes, panel: Panel, colours: dict[str, str]) -> None:
    named: dict[str, Line2D] = {}
    for subject in panel.curves:
        if subject not in (FEDERATED, WORKERS):
            line = _draw_curve(axes, panel.curves[subject], colours[subject], width=1.3)
            crowd = f"{len(colours)} workers" if len(colours) > MAX_NAMED else ""
            named.setdefault(crowd or _label(subject), line)
    if WORKERS in panel.curves:
        rounds, worst, best = zip(*panel.spread, strict=True)
        axes.fill_between(rounds, worst, best, color=_SPREAD_COLOUR, alpha=0.25, linewidth=0)
        line = _draw_curve(axes, panel.curves[WORKERS], _SPREAD_COLOUR, width=1.6)
        named = {"workers' held-out data: median, worst to best": line, **named}
    if FEDERATED in panel.curves:
        curve = panel.curves[FEDERATED]
        named = {FEDERATED: _draw_curve(axes, curve, _FEDERATED_COLOUR, width=2.2), **named}
        axes.annotate(
            f"{curve[-1][1]:.4g}",
            curve[-1],
            xytext=(0, 7),
            textcoords="offset points",
            ha="right",
            fontsize=9,
            weight="bold",
        )
    _dress(axes, panel)
    axes.legend(named.values(), named.keys(), frameon=False, fontsize=9)


def _draw_curve(axes: Axes, curve: Curve, colour: str, *, width: float) -> Line2D:
    rounds, values = zip(*curve, strict=True)
    marker = "o" if len(curve) <= MAX_MARKED else ""
    (line,) = axes.plot(rounds, values, color=colour, linewidth=width, marker=marker, markersize=2 * width)
    return line


def _dress(axes: Axes, panel: Panel) -> None:
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

    axes.set_title(panel.title, fontsize=11, loc="left")
    axes.set_xlabel("round")
    axes.set_ylabel(panel.axis)
    last_round = max(curve[-1][0] for curve in panel.curves.values())
    axes.set_xlim(0, 1.03 * last_round)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    axes.grid(alpha=0.25, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    values = [value for curve in panel.curves.values() for _, value in curve]
    if min(values) > 0 and max(values) / min(values) >= LOG_SCALE_FROM:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter(NullFormatter())


def _label(subject: str) -> str:
    """The name as matplotlib shows it unchanged: `$` would begin a formula, a leading `_` hide the entry."""
    text = subject.replace("$", r"\$")
    return f" {text}" if text.startswith("_") else text
