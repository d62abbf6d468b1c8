"""Sums of updates, and what becomes of a sum when a round ends."""

from __future__ import annotations

import numpy as np

from zfed_kernels import reference
from zfed_kernels._kernel import kernel
from zfed_kernels.reference import Float64s, Floats


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
    reference.accumulate,
    ("out float32", "in float32", "float64"),
    ("out float64", "in float32", "float64"),
    ("out float64", "in float64", "float64"),
)
def accumulate(total: Floats, update: Floats, weight: float) -> None:
    """Add weight * update to total, in place; the result depends on the order of updates.

    total (p,) float32 or float64; update (p,) of any float dtype no wider than total.
    """
    for i in range(update.size):
        total[i] = total[i] + weight * np.float64(update[i])


@kernel(reference.scale, ("out float32", "float64"), ("out float64", "float64"))
def scale(values: Floats, factor: float) -> None:
    """Multiply values (p,) by factor, in place; the product is rounded once, to their dtype."""
    for i in range(values.size):
        values[i] = np.float64(values[i]) * factor


@kernel(
    reference.finish_mean,
    ("out float32", "in float32", "out float64", "float64", "float64"),
    ("out float64", "in float64", "out float64", "float64", "float64"),
)
def finish_mean(out: Floats, base: Floats, total: Float64s, weight: float, rate: float) -> None:
    """Write base + rate * total / weight to out; total holds the mean afterwards.

    out, base (p,) of one dtype, total (p,); weight > 0, the sum of weights; rate: server learning rate.
    """
    for i in range(total.size):
        total[i] /= weight
        out[i] = np.float64(base[i]) + rate * total[i]


@kernel(
    reference.finish_momentum,
    ("out float32", "out float32", "in float32", "in float32", "out float64") + ("float64",) * 3,
    ("out float64", "out float64", "in float64", "in float64", "out float64") + ("float64",) * 3,
)
def finish_momentum(
    out: Floats,
    velocity: Floats,
    base: Floats,
    last_velocity: Floats,
    total: Float64s,
    weight: float,
    rate: float,
    momentum: float,
) -> None:
    """Write v = momentum * last_velocity + total / weight to velocity and base + rate * v to out.

    out, velocity, base, last_velocity (p,) of one dtype; total (p,) holds the mean afterwards; weight > 0,
    the sum of weights. The step uses v as rounded to its dtype, so that a run restored from v goes on with
    the same bits.
    """
    for i in range(total.size):
        total[i] /= weight
        velocity[i] = momentum * np.float64(last_velocity[i]) + total[i]
        out[i] = np.float64(base[i]) + rate * np.float64(velocity[i])
