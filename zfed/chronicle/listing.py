"""Overviews as the columns of a table, and as records for programs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

from zfed.chronicle.overview import Overview
from zfed.chronicle.times import shown
from zfed.telemetry.sentences import WORKERS
from zfed.telemetry.wording import number, percent, printable


def columns(runs: Sequence[Overview]) -> dict[str, list[str]]:
    """What a table shows of runs, title -> cells; without the columns in which nothing would stand."""
    table: dict[str, list[str]] = {
        "run": [printable(run.run_id) for run in runs],
        "state": [run.state for run in runs],
        "rounds": [f"{run.rounds_done}/{'?' if run.rounds is None else run.rounds}" for run in runs],
        "version": ["" if run.version is None else str(run.version) for run in runs],
        "federated model": [_quality(run) for run in runs],
        "last written": [shown(_written(run)) for run in runs],
        "note": [printable(run.note) for run in runs],
    }
    return {title: cells for title, cells in table.items() if any(cells)}


def record(run: Overview) -> dict[str, Any]:
    """The same for a program; JSON-ready, times in UTC."""
    return {
        "run": run.run_id,
        "directory": str(run.path),
        "state": run.state,
        "rounds_done": run.rounds_done,
        "rounds": run.rounds,
        "version": run.version,
        "evaluated": run.evaluated or None,
        "last_written": _written(run).isoformat(),
        "note": run.note,
    }


def _written(run: Overview) -> datetime:
    return datetime.fromtimestamp(round(run.written), timezone.utc)


def _quality(run: Overview) -> str:
    """Accuracy, or else loss, of the newest evaluation; empty if there was none."""
    accuracy, loss = run.evaluated.get("accuracy"), run.evaluated.get("loss")
    if isinstance(accuracy, (int, float)):
        words = f"accuracy {percent(accuracy, digits=2)}"
    elif isinstance(loss, (int, float)):
        words = f"loss {number(loss)}"
    else:
        return ""
    whose = ", by the workers" if run.evaluated.get("subject") == WORKERS else ""
    return f"{words} (round {run.evaluated.get('round', '?')}{whose})"
