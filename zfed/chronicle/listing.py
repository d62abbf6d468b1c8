"""Overviews as the cells of a table, and as records for programs."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any, Final

from zfed.chronicle.overview import Overview
from zfed.chronicle.times import shown
from zfed.telemetry.wording import number, percent, printable

TITLES: Final = ("run", "state", "rounds", "version", "federated model", "last written", "note")


def cells(run: Overview) -> tuple[str, ...]:
    """What a table shows of a run, in the order of `TITLES`."""
    written = datetime.fromtimestamp(run.written, timezone.utc)
    return (
        printable(run.run_id),
        run.state,
        f"{run.rounds_done}/{'?' if run.rounds is None else run.rounds}",
        "" if run.version is None else str(run.version),
        _quality(run),
        shown(written),
        printable(run.note),
    )


def record(run: Overview) -> dict[str, Any]:
    """The same for a program; JSON-ready, times in UTC."""
    written = datetime.fromtimestamp(round(run.written), timezone.utc)
    return {
        "run": run.run_id,
        "directory": str(run.path),
        "state": run.state,
        "rounds_done": run.rounds_done,
        "rounds": run.rounds,
        "version": run.version,
        "evaluated": run.evaluated or None,
        "last_written": written.isoformat(),
        "note": run.note,
    }


def _quality(run: Overview) -> str:
    """Accuracy, or else loss, of the newest evaluation; empty if there was none."""
    accuracy, loss = run.evaluated.get("accuracy"), run.evaluated.get("loss")
    if isinstance(accuracy, (int, float)):
        words = f"accuracy {percent(accuracy, digits=2)}"
    elif isinstance(loss, (int, float)):
        words = f"loss {number(loss)}"
    else:
        return ""
    return f"{words} (round {run.evaluated.get('round', '?')})"
