"""How long averaging alone takes: zfed's kernels next to what numpy offers, in one thread."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from zfed_kernels import (
    accumulate_exact,
    accumulate_exact_many,
    accumulate_up_to_four,
    finish_mean,
    store_exact,
    warm_up,
)

Floats: TypeAlias = NDArray[np.float32]
Average: TypeAlias = Callable[[Sequence[Floats]], Floats]

LARGEST_UPDATE: Final = 4 * 2**20
"""Numbers in an update, at most: beyond the caches the time per byte does not change any more."""

MOST_UPDATES: Final = 10
REPEATS: Final = 5
GRID: Final = 2.0**-40


def measure_averaging(length: int, updates: int) -> dict[str, float]:
    """Median seconds of each way to average updates, run in turn.

    Args:
        length: Numbers in an update; more than `LARGEST_UPDATE` count as so many.
        updates: How many are averaged; more than `MOST_UPDATES` count as so many.
    """
    generator = np.random.default_rng(0)
    length = min(length, LARGEST_UPDATE)
    given = [generator.random(length, np.float32) for _ in range(min(updates, MOST_UPDATES))]
    warm_up(store_exact, accumulate_exact, accumulate_up_to_four, finish_mean)
    seconds: dict[str, list[float]] = {name: [] for name in WAYS}
    for _ in range(REPEATS):
        for name, average in WAYS.items():
            began = time.perf_counter()
            average(given)
            seconds[name].append(time.perf_counter() - began)
    return {name: statistics.median(taken) for name, taken in seconds.items()}


def with_kernels(updates: Sequence[Floats]) -> Floats:
    """As zfed does: an exact sum in float64, the same bits in any order."""
    total = np.empty(updates[0].size)
    accumulate_exact_many(total, updates, [1.0] * len(updates), GRID, fresh=True)
    mean = np.empty_like(updates[0])
    finish_mean(mean, np.zeros_like(mean), total, float(len(updates)), 1.0)
    return mean


def in_place(updates: Sequence[Floats]) -> Floats:
    """A float64 sum with numpy, without temporaries but one."""
    total = np.zeros(updates[0].size)
    term = np.empty_like(total)
    for update in updates:
        np.multiply(update, 1.0, out=term, dtype=np.float64)
        np.add(total, term, out=total)
    np.divide(total, len(updates), out=total)
    return total.astype(np.float32)


def of_a_stack(updates: Sequence[Floats]) -> Floats:
    """What one writes first: np.average over a stack of all updates."""
    mean: Floats = np.average(np.stack(updates), axis=0, weights=np.ones(len(updates)))
    return mean.astype(np.float32)


WAYS: Final[dict[str, Average]] = {
    "zfed kernels": with_kernels,
    "numpy in place": in_place,
    "np.average of a stack": of_a_stack,
}
"""The first is what the others are compared with."""
