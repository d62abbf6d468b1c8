"""Sums of updates: exact on a grid, or plain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from zfed_kernels import reference
from zfed_kernels._kernel import kernel
from zfed_kernels.reference import Float64s, Floats

_TOGETHER: Final = 4
"""Updates that one pass over a total adds."""


@kernel(
    reference.accumulate_exact,
    ("out float64", "in float32", "float64", "float64"),
    ("out float64", "in float64", "float64", "float64"),
)
def accumulate_exact(total: Float64s, update: Floats, weight: float, grid: float) -> None:
    """Add weight * update, each term rounded to a multiple of grid, to total, in place.

    As long as |weight * update| <= 2**51 * grid and no partial sum exceeds 2**53 * grid, every addition is
    exact, so the sum has the same bits in any order of updates. (v + m) - m with m = 1.5 * 2**52 * grid
    rounds to the grid because the floats around m are one grid step apart.

    total (p,) float64; update (p,) of any float dtype, finite; weight >= 0; grid a power of two.
    """
    magic = 1.5 * 2.0**52 * grid
    for i in range(update.size):
        total[i] += (weight * np.float64(update[i]) + magic) - magic


@kernel(
    reference.store_exact,
    ("out float64", "in float32", "float64", "float64"),
    ("out float64", "in float64", "float64", "float64"),
)
def store_exact(total: Float64s, update: Floats, weight: float, grid: float) -> None:
    """Write what `accumulate_exact` onto zeros would leave in total: the first update of a sum.

    total (p,) float64 is not read, so it need not be cleared; the rest as in `accumulate_exact`. No term
    is -0.0, which would differ: (v + m) - m is 0.0 where it vanishes.
    """
    magic = 1.5 * 2.0**52 * grid
    for i in range(update.size):
        total[i] = (weight * np.float64(update[i]) + magic) - magic


def accumulate_exact_many(
    total: Float64s, updates: Sequence[Floats], weights: Sequence[float], grid: float, *, fresh: bool
) -> None:
    """Add several updates as `accumulate_exact` adds one after another, with fewer passes over total.

    A total outside the caches takes longer to read and write than an update to read, so adding four in one
    pass takes half the time of adding them singly.

    Args:
        total: (p,) float64.
        updates: Each (p,), all of one float dtype, finite.
        weights: One for each update, from 0 on.
        grid: A power of two.
        fresh: Whether total counts as zeros, whatever it holds.
    """
    if len(updates) != len(weights):
        raise ValueError(f"accumulate_exact_many: {len(updates)} updates and {len(weights)} weights")
    if fresh and not updates:
        total.fill(0)
    for start in range(0, len(updates), _TOGETHER):
        some, factors = list(updates[start : start + _TOGETHER]), list(weights[start : start + _TOGETHER])
        if len(some) == 1:
            (store_exact if fresh else accumulate_exact)(total, some[0], factors[0], grid)
        else:
            spare = _TOGETHER - len(some)
            u0, u1, u2, u3 = some + some[:1] * spare
            w0, w1, w2, w3 = factors + [0.0] * spare
            accumulate_up_to_four(total, u0, u1, u2, u3, w0, w1, w2, w3, len(some), grid, fresh)
        fresh = False


@kernel(
    reference.accumulate_up_to_four,
    ("out float64", *("in float32",) * 4, *("float64",) * 4, "int64", "float64", "boolean"),
    ("out float64", *("in float64",) * 4, *("float64",) * 4, "int64", "float64", "boolean"),
)
def accumulate_up_to_four(
    total: Float64s,
    update_0: Floats,
    update_1: Floats,
    update_2: Floats,
    update_3: Floats,
    weight_0: float,
    weight_1: float,
    weight_2: float,
    weight_3: float,
    count: int,
    grid: float,
    fresh: bool,
) -> None:
    """Add the first `count` updates, 2 to 4, in one pass; see `accumulate_exact_many`.

    What is asked in the loop is the same each time: the compiler makes a loop for each answer.
    """
    magic = 1.5 * 2.0**52 * grid
    for i in range(total.size):
        so_far = 0.0 if fresh else total[i]
        so_far += (weight_0 * np.float64(update_0[i]) + magic) - magic
        so_far += (weight_1 * np.float64(update_1[i]) + magic) - magic
        if count > 2:
            so_far += (weight_2 * np.float64(update_2[i]) + magic) - magic
        if count > 3:
            so_far += (weight_3 * np.float64(update_3[i]) + magic) - magic
        total[i] = so_far


@kernel(
    reference.accumulate,
    ("out float32", "in float32", "float64"),
    ("out float64", "in float32", "float64"),
    ("out float64", "in float64", "float64"),
)
def accumulate(total: Floats, update: Floats, weight: float) -> None:
    """Add weight * update to total, in place; the result depends on the order of updates.

    total (p,) float32 or float64; update (p,) of any float dtype no wider than total. All is computed in
    total's dtype: in float64, sums in float32 would take up to a quarter more time.
    """
    factor = total.dtype.type(weight)
    for i in range(update.size):
        total[i] += factor * total.dtype.type(update[i])


@kernel(reference.scale, ("out float32", "float64"), ("out float64", "float64"))
def scale(values: Floats, factor: float) -> None:
    """Multiply values (p,) by factor, in place; the product is rounded once, to their dtype."""
    for i in range(values.size):
        values[i] = np.float64(values[i]) * factor
