"""A comparison in rows, lines and JSON."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from zfed.benchmark.averaging import LARGEST_UPDATE, MOST_UPDATES
from zfed.benchmark.comparison import Comparison, Measured
from zfed.telemetry.wording import megabytes, plural

_ITEM_BYTES = 4


@dataclass(frozen=True)
class Row:
    """A quantity of all sides in words; the ratios are there where they say something.

    Attributes:
        quantity: What it is.
        encrypted: Of zfed as it is meant to be run.
        plain: Of zfed without encryption.
        raw: Of raw sockets.
        encryption: Of `encrypted` to `plain`.
        engine: Of `plain` to `raw`.
    """

    quantity: str
    encrypted: str
    plain: str
    raw: str
    encryption: str = ""
    engine: str = ""


def heading(comparison: Comparison) -> str:
    """What was measured, in a line."""
    plan = comparison.plan
    place = "on disk" if plan.durable else "in memory"
    return (
        f"{megabytes(plan.model_bytes)} x {plural(plan.workers, 'worker')}, {plural(plan.rounds, 'round')} x "
        f"{plural(plan.blocks, 'block')} in turn, run directory {place}"
    )


def round_rows(comparison: Comparison) -> list[Row]:
    """A round of zfed, with and without encryption, beside one of raw sockets."""
    sides = (comparison.encrypted, comparison.plain, comparison.raw)
    model = comparison.plan.model_bytes

    def times(quantity: str, of: Callable[[Measured], float], *ratios: str) -> Row:
        words = [f"{comparison.ratios[ratio]:.2f}" for ratio in ratios]
        return Row(quantity, *(time_words(of(side)) for side in sides), *words)

    def memory(quantity: str, of: Callable[[Measured], int]) -> Row:
        return Row(quantity, *(_memory(of(side), model) for side in sides))

    def payload(quantity: str, of: Callable[[Measured], int]) -> Row:
        return Row(quantity, *(megabytes(of(side)) for side in sides))

    return [
        times("round, median", lambda side: side.round_s, "encrypted_round", "round"),
        times("round, fastest", lambda side: side.fastest_s),
        times("round, slowest", lambda side: side.slowest_s),
        times("CPU a round, all", lambda side: side.cpu_s, "encrypted_cpu", "cpu"),
        times("CPU a round, coordinator", lambda side: side.cpu_coordinator_s),
        times("CPU a round, each worker", lambda side: max(side.cpu_workers_s)),
        memory("peak memory, coordinator", lambda side: side.peak_coordinator_bytes),
        memory("peak memory, each worker", lambda side: max(side.peak_workers_bytes)),
        payload("sent down a round", lambda side: side.bytes_down),
        payload("sent up a round", lambda side: side.bytes_up),
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
        ratios = f"; ratios {row.encryption}, {row.engine}" if row.engine else ""
        sides = f"zfed {row.encrypted}, --insecure {row.plain}, raw sockets {row.raw}"
        written.append(f"{row.quantity}: {sides}{ratios}")
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
