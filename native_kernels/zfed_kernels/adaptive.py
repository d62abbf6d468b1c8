"""Steps of server optimisers that scale each parameter by what its updates usually are: Adagrad, Adam, Yogi.

Reddi et al., "Adaptive Federated Optimization", arXiv 2003.00295, algorithm 2; no bias correction, as there.
As in `zfed_kernels.finish`, blocks stay in the L1 cache and each question has a loop of its own.
"""

from __future__ import annotations

import numpy as np

from zfed_kernels import reference
from zfed_kernels._kernel import kernel
from zfed_kernels.reference import FINISH_LANES, Finish, Floats

_ARRAYS = (
    ("out float32",) * 3 + ("in float32",) * 3 + ("in float64",),
    ("out float32",) * 3 + ("in float32",) * 3 + ("in float32",),
    ("out float64",) * 3 + ("in float64",) * 3 + ("in float64",),
)


@kernel(reference.finish_adaptive, *(arrays + ("float64",) * 6 for arrays in _ARRAYS))
def finish_adaptive(
    out: Floats,
    first: Floats,
    second: Floats,
    base: Floats,
    last_first: Floats,
    last_second: Floats,
    total: Floats,
    weight: float,
    rate: float,
    beta1: float,
    tau: float,
    kept: float,
    added: float,
) -> Finish:
    """Write one step of Adagrad or Adam to out, and to first and second what they keep.

    With d = total / weight: first is m = beta1 last_first + (1 - beta1) d, second is v = kept last_second +
    added d^2, and out is base + rate m / (sqrt(v) + tau). Adagrad has kept = added = 1, Adam has kept = beta2
    and added = 1 - beta2.

    out, first, second, base, last_first, last_second (p,) of one dtype, the last three finite, last_second at
    least 0; total (p,) of that dtype or float64; weight, rate, tau > 0. The step uses m and v as rounded to
    their dtype, so that a run restored from them goes on with the same bits. `Finish.first_bad` tells of out
    and second; where both are finite, so is first.
    """
    largest = np.empty(FINISH_LANES, total.dtype)
    for j in range(FINISH_LANES):
        largest[j] = 0.0
    finite = True
    for start in range(0, total.size, FINISH_LANES):
        stop = start + FINISH_LANES
        sums, values, before = total[start:stop], out[start:stop], base[start:stop]
        firsts, seconds = first[start:stop], second[start:stop]
        last_firsts, last_seconds = last_first[start:stop], last_second[start:stop]
        for j in range(sums.size):
            mean = np.float64(sums[j]) / weight
            firsts[j] = beta1 * np.float64(last_firsts[j]) + (1.0 - beta1) * mean
            seconds[j] = kept * np.float64(last_seconds[j]) + added * (mean * mean)
        for j in range(sums.size):
            step = np.float64(firsts[j]) / (np.sqrt(np.float64(seconds[j])) + tau)
            values[j] = np.float64(before[j]) + rate * step
        for j in range(sums.size):
            magnitude = abs(sums[j])
            largest[j] = magnitude if magnitude > largest[j] else largest[j]
        bad = 0
        for j in range(values.size):
            bad += not (np.isfinite(values[j]) and np.isfinite(seconds[j]))
        finite = finite and bad == 0
    most = 0.0
    for j in range(FINISH_LANES):
        most = max(most, np.float64(largest[j]))
    first_bad_mean = first_bad = -1
    if not finite:
        for i in range(total.size - 1, -1, -1):
            first_bad_mean = first_bad_mean if np.isfinite(np.float64(total[i]) / weight) else i
            first_bad = first_bad if np.isfinite(out[i]) and np.isfinite(second[i]) else i
    return Finish(np.inf if first_bad_mean >= 0 else most / weight, first_bad_mean, first_bad)


@kernel(reference.finish_yogi, *(arrays + ("float64",) * 5 for arrays in _ARRAYS))
def finish_yogi(
    out: Floats,
    first: Floats,
    second: Floats,
    base: Floats,
    last_first: Floats,
    last_second: Floats,
    total: Floats,
    weight: float,
    rate: float,
    beta1: float,
    tau: float,
    added: float,
) -> Finish:
    """Write one step of Yogi to out, and to first and second what it keeps.

    As `finish_adaptive`, with v = last_second - added d^2 sign(last_second - d^2).
    """
    largest = np.empty(FINISH_LANES, total.dtype)
    for j in range(FINISH_LANES):
        largest[j] = 0.0
    finite = True
    for start in range(0, total.size, FINISH_LANES):
        stop = start + FINISH_LANES
        sums, values, before = total[start:stop], out[start:stop], base[start:stop]
        firsts, seconds = first[start:stop], second[start:stop]
        last_firsts, last_seconds = last_first[start:stop], last_second[start:stop]
        for j in range(sums.size):
            mean = np.float64(sums[j]) / weight
            firsts[j] = beta1 * np.float64(last_firsts[j]) + (1.0 - beta1) * mean
            seconds[j] = np.float64(last_seconds[j]) - added * (mean * mean) * np.sign(
                np.float64(last_seconds[j]) - mean * mean
            )
        for j in range(sums.size):
            step = np.float64(firsts[j]) / (np.sqrt(np.float64(seconds[j])) + tau)
            values[j] = np.float64(before[j]) + rate * step
        for j in range(sums.size):
            magnitude = abs(sums[j])
            largest[j] = magnitude if magnitude > largest[j] else largest[j]
        bad = 0
        for j in range(values.size):
            bad += not (np.isfinite(values[j]) and np.isfinite(seconds[j]))
        finite = finite and bad == 0
    most = 0.0
    for j in range(FINISH_LANES):
        most = max(most, np.float64(largest[j]))
    first_bad_mean = first_bad = -1
    if not finite:
        for i in range(total.size - 1, -1, -1):
            first_bad_mean = first_bad_mean if np.isfinite(np.float64(total[i]) / weight) else i
            first_bad = first_bad if np.isfinite(out[i]) and np.isfinite(second[i]) else i
    return Finish(np.inf if first_bad_mean >= 0 else most / weight, first_bad_mean, first_bad)
