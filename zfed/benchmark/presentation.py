"""A comparison in rows, lines and JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from zfed.benchmark.averaging import LARGEST_UPDATE, MOST_UPDATES
from zfed.benchmark.comparison import Comparison
from zfed.telemetry.wording import megabytes, plural

_ITEM_BYTES = 4


@dataclass(frozen=True)
class Row:
    """A quantity of both sides in words; `ratio` is zfed's part of the other's, if that says something."""

    quantity: str
    engine: str
    raw: str
    ratio: str = ""


def heading(comparison: Comparison) -> str:
    """What was measured, in a line."""
    plan = comparison.plan
    place = "on disk" if plan.durable else "in memory"
    return (
        f"{megabytes(plan.model_bytes)} x {plural(plan.workers, 'worker')}, {plural(plan.rounds, 'round')} x "
        f"{plural(plan.blocks, 'block')} in turn, run directory {place}"
    )


def round_rows(comparison: Comparison) -> list[Row]:
    """A round of zfed beside one of raw sockets."""
    engine, raw = comparison.engine, comparison.raw
    model = comparison.plan.model_bytes
    return [
        Row(
            "round, median", time_words(engine.round_s), time_words(raw.round_s), _ratio(comparison, "round")
        ),
        Row("round, fastest", time_words(engine.fastest_s), time_words(raw.fastest_s)),
        Row("round, slowest", time_words(engine.slowest_s), time_words(raw.slowest_s)),
        Row("CPU a round, all", time_words(engine.cpu_s), time_words(raw.cpu_s), _ratio(comparison, "cpu")),
        Row(
            "CPU a round, coordinator",
            time_words(engine.cpu_coordinator_s),
            time_words(raw.cpu_coordinator_s),
        ),
        Row(
            "CPU a round, each worker",
            *(time_words(max(side.cpu_workers_s)) for side in (engine, raw)),
        ),
        Row(
            "peak memory, coordinator",
            *(_memory(side.peak_coordinator_bytes, model) for side in (engine, raw)),
        ),
        Row(
            "peak memory, each worker",
            *(_memory(max(side.peak_workers_bytes), model) for side in (engine, raw)),
        ),
        Row("sent down a round", *(megabytes(side.bytes_down) for side in (engine, raw))),
        Row("sent up a round", *(megabytes(side.bytes_up) for side in (engine, raw))),
    ]


def averaging_rows(comparison: Comparison) -> list[tuple[str, str, str]]:
    """Each way to average: its name, how fast it reads updates, and its time of the first's."""
    length = min(comparison.plan.length, LARGEST_UPDATE)
    read = length * _ITEM_BYTES * min(comparison.plan.workers, MOST_UPDATES)
    first = next(iter(comparison.averaging_s.values()))
    return [
        (name, f"{read / seconds / 1e9:.2f} GB/s", f"{seconds / first:.2f}x")
        for name, seconds in comparison.averaging_s.items()
    ]


def lines(comparison: Comparison) -> list[str]:
    """Everything as plain lines, for a pipe."""
    written = [heading(comparison)]
    for row in round_rows(comparison):
        ratio = f", ratio {row.ratio}" if row.ratio else ""
        written.append(f"{row.quantity}: zfed {row.engine}, raw sockets {row.raw}{ratio}")
    for name, rate, ratio in averaging_rows(comparison):
        written.append(f"averaging with {name}: {rate}, {ratio} the time")
    return written


def record(comparison: Comparison) -> dict[str, Any]:
    """Everything as JSON-ready numbers in seconds and bytes, ratios included."""
    plain: dict[str, Any] = msgspec.to_builtins(comparison, enc_hook=str)
    return {**plain, "ratios": comparison.ratios}


def time_words(seconds: float) -> str:
    """A time with three digits that matter."""
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.3g} ms"


def _memory(size: int, model_bytes: int) -> str:
    """Megabytes, and how many models that is."""
    return f"{size / 1e6:,.0f} MB ({size / model_bytes:.1f}x)"


def _ratio(comparison: Comparison, name: str) -> str:
    return f"{comparison.ratios[name]:.2f}"
