"""What becomes of a sum when a round ends: the new model, checked while it is hot.

A kernel works on blocks that stay in the L1 cache, a short loop for each question: a loop that asks two does
not vectorise. The sum is only read. Its largest |mean| is the largest |sum| divided once, as division by a
positive weight keeps the order; and where the new values are finite, the means are too. Loops take the place
of np.zeros and of an array's max(), which take longer to compile than all the rest.
"""

from __future__ import annotations

import numpy as np

from zfed_kernels import reference
from zfed_kernels._kernel import kernel
from zfed_kernels.reference import FINISH_LANES, Finish, Floats


@kernel(
    reference.finish_mean,
    ("out float32", "in float32", "in float64", "float64", "float64"),
    ("out float32", "in float32", "in float32", "float64", "float64"),
    ("out float64", "in float64", "in float64", "float64", "float64"),
)
def finish_mean(out: Floats, base: Floats, total: Floats, weight: float, rate: float) -> Finish:
    """Write base + rate * total / weight to out.

    out, base (p,) of one dtype, base finite; total (p,) of that or float64; weight > 0, the sum of weights;
    rate > 0: server learning rate.
    """
    largest = np.empty(FINISH_LANES, total.dtype)
    for j in range(FINISH_LANES):
        largest[j] = 0.0
    finite = True
    for start in range(0, total.size, FINISH_LANES):
        sums, values = total[start : start + FINISH_LANES], out[start : start + FINISH_LANES]
        before = base[start : start + FINISH_LANES]
        for j in range(sums.size):
            values[j] = np.float64(before[j]) + rate * (np.float64(sums[j]) / weight)
        for j in range(sums.size):
            magnitude = abs(sums[j])
            largest[j] = magnitude if magnitude > largest[j] else largest[j]
        bad = 0
        for j in range(values.size):
            bad += not np.isfinite(values[j])
        finite = finite and bad == 0
    most = 0.0
    for j in range(FINISH_LANES):
        most = max(most, np.float64(largest[j]))
    first_bad_mean = first_bad = -1
    if not finite:
        for i in range(total.size - 1, -1, -1):
            first_bad_mean = first_bad_mean if np.isfinite(np.float64(total[i]) / weight) else i
            first_bad = first_bad if np.isfinite(out[i]) else i
    return Finish(np.inf if first_bad_mean >= 0 else most / weight, first_bad_mean, first_bad)


@kernel(
    reference.finish_momentum,
    ("out float32", "out float32", "in float32", "in float32", "in float64") + ("float64",) * 3,
    ("out float32", "out float32", "in float32", "in float32", "in float32") + ("float64",) * 3,
    ("out float64", "out float64", "in float64", "in float64", "in float64") + ("float64",) * 3,
)
def finish_momentum(
    out: Floats,
    velocity: Floats,
    base: Floats,
    last_velocity: Floats,
    total: Floats,
    weight: float,
    rate: float,
    momentum: float,
) -> Finish:
    """Write v = momentum * last_velocity + total / weight to velocity and base + rate * v to out.

    out, velocity, base, last_velocity (p,) of one dtype, the last two finite; total (p,) of that or float64;
    weight > 0, the sum of weights; rate > 0. The step uses v as rounded to its dtype, so that a run restored
    from v goes on with the same bits. Where out is finite, so is velocity.
    """
    largest = np.empty(FINISH_LANES, total.dtype)
    for j in range(FINISH_LANES):
        largest[j] = 0.0
    finite = True
    for start in range(0, total.size, FINISH_LANES):
        sums, values = total[start : start + FINISH_LANES], out[start : start + FINISH_LANES]
        before, speeds = base[start : start + FINISH_LANES], velocity[start : start + FINISH_LANES]
        last_speeds = last_velocity[start : start + FINISH_LANES]
        for j in range(sums.size):
            speeds[j] = momentum * np.float64(last_speeds[j]) + np.float64(sums[j]) / weight
            values[j] = np.float64(before[j]) + rate * np.float64(speeds[j])
        for j in range(sums.size):
            magnitude = abs(sums[j])
            largest[j] = magnitude if magnitude > largest[j] else largest[j]
        bad = 0
        for j in range(values.size):
            bad += not np.isfinite(values[j])
        finite = finite and bad == 0
    most = 0.0
    for j in range(FINISH_LANES):
        most = max(most, np.float64(largest[j]))
    first_bad_mean = first_bad = -1
    if not finite:
        for i in range(total.size - 1, -1, -1):
            first_bad_mean = first_bad_mean if np.isfinite(np.float64(total[i]) / weight) else i
            first_bad = first_bad if np.isfinite(out[i]) else i
    return Finish(np.inf if first_bad_mean >= 0 else most / weight, first_bad_mean, first_bad)
