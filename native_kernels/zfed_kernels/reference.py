"""Every kernel in plain numpy: the oracle in tests, and what runs where numba is missing.

Each function takes what the kernel of the same name takes and gives the same bits. The constants that both
use are here too; numba's cache does not see them, so touch the kernel's file when one changes.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Float64s: TypeAlias = NDArray[np.float64]
Floats: TypeAlias = NDArray[np.float32] | NDArray[np.float64]
AnyFloats: TypeAlias = Floats | NDArray[np.float16] | NDArray[np.uint16]
"""float32, float64, float16, or bfloat16 held as its bits in uint16."""

Float32s: TypeAlias = NDArray[np.float32]
Words: TypeAlias = NDArray[np.uint32]
HalfBits: TypeAlias = NDArray[np.uint16]
"""float16 or bfloat16 numbers as their bits; the kernel's name says which."""
Codes: TypeAlias = NDArray[np.int8]
Indices: TypeAlias = NDArray[np.int64]

INT8_BLOCK = 256
"""int8 codes that share one scale: 1.6 % more bytes, and a large value spoils only 255 others."""
INT8_STEP = (1 + 2.0**-23) / 127
"""Scale over largest |x|. Rounded to float32 it is at least 1/127, so that no code leaves -127 to 127."""
LARGEST_INT8_SCALE = np.float32(np.finfo(np.float32).max / np.float32(127) * np.float32(1 - 2.0**-23))
"""127 times this is finite in float32."""

SCAN_LANES = 1024
"""Sums that `scan` keeps side by side: lane l holds those of elements l, l + 1024, l + 2048, ..."""

SORT_LANES = 256
"""Columns that `exchange_rows` takes through the whole network at a time."""

FINISH_LANES = 512
"""Elements that the kernels of `finish` work on at a time."""

# Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (SC 2011), Philox4x32.
PHILOX_ROUNDS = 10
PHILOX_FACTOR_0, PHILOX_FACTOR_1 = 0xD2511F53, 0xCD9E8D57
PHILOX_STEP_0, PHILOX_STEP_1 = 0x9E3779B9, 0xBB67AE85

# Minimax polynomials of S. L. Moshier's Cephes library (logf, sinf, cosf), highest power first.
LOG = (
    np.float32(7.0376836292e-2),
    np.float32(-1.1514610310e-1),
    np.float32(1.1676998740e-1),
    np.float32(-1.2420140846e-1),
    np.float32(1.4249322787e-1),
    np.float32(-1.6668057665e-1),
    np.float32(2.0000714765e-1),
    np.float32(-2.4999993993e-1),
    np.float32(3.3333331174e-1),
)
SINE = (np.float32(-1.9515295891e-4), np.float32(8.3321608736e-3), np.float32(-1.6666654611e-1))
COSINE = (
    np.float32(2.443315711809948e-5),
    np.float32(-1.388731625493765e-3),
    np.float32(4.166664568298827e-2),
)
SQRT_HALF_BITS = np.int32(0x3F3504F3)
"""float32(sqrt(1/2)) as an integer: subtracted first, it leaves mantissas in [sqrt(1/2), sqrt(2))."""
LN_2 = np.float32(0.6931471805599453)
QUARTER_TURN = np.float32(np.pi / 2 / 2**30)
"""Radians per step of a 30-bit fraction of a quarter turn."""


class Scan(NamedTuple):
    """What one pass over an array finds.

    Attributes:
        first_bad: Index of the first value that is NaN or infinite, -1 if there is none.
        largest: Largest |x|, 0 for an empty array. Infinite if `first_bad` is not -1: a NaN would pass every
            `largest > limit`.
        squares: Sum of x**2 in float64, under the same rule. May overflow to infinity for float64 values.
    """

    first_bad: int
    largest: float
    squares: float


class Finish(NamedTuple):
    """What a kernel that ends a round found on its way.

    Attributes:
        largest: Largest |mean|, 0 for an empty array, infinite if `first_bad_mean` is not -1.
        first_bad_mean: Index of the first mean that is NaN or infinite, -1 if there is none.
        first_bad: Index of the first new value that is NaN or infinite, -1 if there is none.
    """

    largest: float
    first_bad_mean: int
    first_bad: int


def widened(values: NDArray[Any]) -> NDArray[Any]:
    """float16, or bfloat16 bits in uint16, as float32, exactly; any other dtype unchanged."""
    if values.dtype == np.float16:
        return values.astype(np.float32)
    if values.dtype == np.uint16:
        return (values.astype(np.uint32) << np.uint32(16)).view(np.float32)
    return values


def accumulate_exact(total: Float64s, update: AnyFloats, weight: float, grid: float) -> None:
    """Add weight * update, rounded to the grid, to total."""
    magic = 1.5 * 2.0**52 * grid
    terms = weight * widened(update).astype(np.float64)
    terms += magic
    terms -= magic
    total += terms


def store_exact(total: Float64s, update: AnyFloats, weight: float, grid: float) -> None:
    """Write weight * update, rounded to the grid, to total."""
    total.fill(0)
    accumulate_exact(total, update, weight, grid)


def accumulate_up_to_four(
    total: Float64s,
    update_0: AnyFloats,
    update_1: AnyFloats,
    update_2: AnyFloats,
    update_3: AnyFloats,
    weight_0: float,
    weight_1: float,
    weight_2: float,
    weight_3: float,
    count: int,
    grid: float,
    fresh: bool,
) -> None:
    """Add the first updates, one after another, to total or, if that is fresh, to zeros."""
    if fresh:
        total.fill(0)
    accumulate_exact(total, update_0, weight_0, grid)
    accumulate_exact(total, update_1, weight_1, grid)
    if count > 2:
        accumulate_exact(total, update_2, weight_2, grid)
    if count > 3:
        accumulate_exact(total, update_3, weight_3, grid)


def accumulate(total: Floats, update: AnyFloats, weight: float) -> None:
    """Add weight * update to total."""
    total += np.multiply(widened(update), weight, dtype=total.dtype)


def accumulate_bfloat16_exact(total: Float64s, bits: HalfBits, weight: float, grid: float) -> None:
    """Add weight * bfloat16 bits, rounded to the grid, to total."""
    accumulate_exact(total, bits, weight, grid)


def accumulate_bfloat16(total: Floats, bits: HalfBits, weight: float) -> None:
    """Add weight * bfloat16 bits to total."""
    accumulate(total, bits, weight)


def accumulate_float16_exact(total: Float64s, bits: HalfBits, weight: float, grid: float) -> None:
    """Add weight * float16 bits, rounded to the grid, to total."""
    accumulate_exact(total, bits.view(np.float16), weight, grid)


def accumulate_float16(total: Floats, bits: HalfBits, weight: float) -> None:
    """Add weight * float16 bits to total."""
    accumulate(total, bits.view(np.float16), weight)


def accumulate_int8_exact(
    total: Float64s, codes: Codes, scales: Float32s, weight: float, grid: float
) -> None:
    """Add weight * decoded codes, rounded to the grid, to total."""
    accumulate_exact(total, _int8_values(codes, scales), weight, grid)


def accumulate_int8(total: Floats, codes: Codes, scales: Float32s, weight: float) -> None:
    """Add weight * decoded codes to total."""
    accumulate(total, _int8_values(codes, scales), weight)


def int8_to_float32(out: Float32s, codes: Codes, scales: Float32s) -> None:
    """Decode codes."""
    out[:] = _int8_values(codes, scales)


def float32_to_int8(codes: Codes, scales: Float32s, values: Float32s, words: Words) -> None:
    """Choose scales and round stochastically to codes."""
    starts = np.arange(0, values.size, INT8_BLOCK)
    largest = np.maximum.reduceat(np.abs(values), starts) if values.size else values
    scales[:] = np.minimum((largest.astype(np.float64) * INT8_STEP).astype(np.float32), LARGEST_INT8_SCALE)
    divisors = np.where(scales > 0, scales.astype(np.float64), np.inf)  # all codes are 0 where a scale is
    levels = np.floor(values / np.repeat(divisors, INT8_BLOCK)[: values.size] + words * 2.0**-32)
    codes[:] = np.clip(levels, -127, 127)


def float32_to_bfloat16(bits: HalfBits, values: Float32s) -> None:
    """Round to nearest, ties to even; what would round to infinity becomes the largest number."""
    whole = values.view(np.uint32)
    rounded = (whole + np.uint32(0x7FFF) + ((whole >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)
    overflown = (rounded & np.uint32(0x7FFF)) >= np.uint32(0x7F80)
    bits[:] = np.where(overflown, (rounded & np.uint32(0x8000)) | np.uint32(0x7F7F), rounded)


def float32_to_float16(bits: HalfBits, values: Float32s) -> None:
    """Round to nearest, ties to even; what is too large becomes the largest number."""
    limit = np.float32(np.finfo(np.float16).max)
    bits.view(np.float16)[:] = np.clip(values, -limit, limit)


def scale(values: Floats, factor: float) -> None:
    """Multiply values by factor."""
    values[:] = values.astype(np.float64) * factor


def finish_mean(out: Floats, base: Floats, total: Floats, weight: float, rate: float) -> Finish:
    """Write base + rate * mean to out."""
    mean = total.astype(np.float64) / weight
    out[:] = base + rate * mean
    return _finish(out, mean)


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
    """Write one step of momentum along the mean to velocity and out."""
    mean = total.astype(np.float64) / weight
    velocity[:] = momentum * last_velocity.astype(np.float64) + mean
    out[:] = base + rate * velocity.astype(np.float64)
    return _finish(out, mean)


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
    """Write one step of Adagrad or Adam along the mean to first, second and out."""
    mean = total.astype(np.float64) / weight
    second[:] = kept * last_second.astype(np.float64) + added * (mean * mean)
    return _finish_scaled(out, first, second, base, last_first, mean, rate, beta1, tau)


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
    """Write one step of Yogi along the mean to first, second and out."""
    mean = total.astype(np.float64) / weight
    before = last_second.astype(np.float64)
    second[:] = before - added * (mean * mean) * np.sign(before - mean * mean)
    return _finish_scaled(out, first, second, base, last_first, mean, rate, beta1, tau)


def scan(values: AnyFloats) -> Scan:
    """Find the first value that is not finite, the largest |x| and the sum of squares."""
    wide = widened(values)
    bad = np.flatnonzero(~np.isfinite(wide))
    if bad.size:
        return Scan(int(bad[0]), np.inf, np.inf)
    lanes = np.zeros(SCAN_LANES)
    with np.errstate(over="ignore"):
        for start in range(0, wide.size, SCAN_LANES):
            block = wide[start : start + SCAN_LANES].astype(np.float64)
            lanes[: block.size] += block * block
        squares = float(np.cumsum(lanes)[-1])  # one after the other, as a loop adds them
    return Scan(-1, float(np.max(np.abs(wide), initial=0.0)), squares)


def exchange_rows(rows: Floats, lower: Indices, upper: Indices, width: int) -> None:
    """Put the smaller of two values above the larger one, for each pair of rows."""
    matrix = rows.reshape(-1, width)
    for i, j in zip(lower, upper, strict=True):
        ordered = matrix[i] < matrix[j]
        smaller = np.where(ordered, matrix[i], matrix[j])
        matrix[j] = np.where(ordered, matrix[j], matrix[i])
        matrix[i] = smaller


def squared_distance(one: AnyFloats, other: AnyFloats) -> float:
    """Sum up (one - other)**2."""
    difference = widened(one).astype(np.float64) - widened(other).astype(np.float64)
    return _sum_in_lanes(difference * difference)


def dot(one: AnyFloats, other: AnyFloats) -> float:
    """Sum up one * other."""
    return _sum_in_lanes(widened(one).astype(np.float64) * widened(other).astype(np.float64))


def _sum_in_lanes(terms: Float64s) -> float:
    lanes = np.zeros(SCAN_LANES)
    for start in range(0, terms.size, SCAN_LANES):
        block = terms[start : start + SCAN_LANES]
        lanes[: block.size] += block
    return float(np.cumsum(lanes)[-1])  # one after the other, as a loop adds them


def philox(words: Words, first: int, stream: int, key: int) -> None:
    """Fill words with the four lanes of Philox4x32-10, counters first, first + 1, ..."""
    low, half = np.uint64(0xFFFF_FFFF), np.uint64(32)
    index = np.uint64(first) + np.arange(words.size // 4, dtype=np.uint64)
    w0, w1 = index & low, index >> half
    w2, w3 = np.full_like(index, stream & 0xFFFF_FFFF), np.full_like(index, stream >> 32)
    for turn in range(PHILOX_ROUNDS):
        k0 = np.uint64((key + turn * PHILOX_STEP_0) & 0xFFFF_FFFF)
        k1 = np.uint64(((key >> 32) + turn * PHILOX_STEP_1) & 0xFFFF_FFFF)
        left, right = np.uint64(PHILOX_FACTOR_0) * w0, np.uint64(PHILOX_FACTOR_1) * w2
        w0, w1, w2, w3 = (right >> half) ^ w1 ^ k0, right & low, (left >> half) ^ w3 ^ k1, left & low
    words[:] = np.concatenate([w0, w1, w2, w3])


def radius(out: Float32s, words: Words) -> None:
    """Turn uniform words into sqrt(-2 ln u)."""
    uniform = (words.astype(np.float32) + np.float32(0.5)) * np.float32(2.0**-32)
    bits = uniform.view(np.int32)
    exponent = (bits - SQRT_HALF_BITS) >> 23
    x = (bits - (exponent << 23)).view(np.float32) - np.float32(1)
    log = x + (_polynomial(LOG, x) * x * (x * x) - np.float32(0.5) * (x * x))
    out[:] = np.sqrt(np.float32(-2) * (exponent.astype(np.float32) * LN_2 + log))


def cosine_and_sine(cosine: Float32s, sine: Float32s, words: Words) -> None:
    """Turn uniform words into cosine and sine of uniform angles."""
    quadrant = words >> np.uint32(30)
    fraction = (words & np.uint32(0x3FFF_FFFF)).astype(np.int32) - np.int32(0x2000_0000)
    x = fraction.astype(np.float32) * QUARTER_TURN
    square = x * x
    s = _polynomial(SINE, square) * square * x + x
    c = _polynomial(COSINE, square) * square * square - np.float32(0.5) * square + np.float32(1)
    odd = (quadrant & 1).astype(bool)
    cosine[:] = np.where(odd, -s, c)
    sine[:] = np.where(odd, c, s)
    opposite = quadrant >= 2
    np.negative(cosine, out=cosine, where=opposite)
    np.negative(sine, out=sine, where=opposite)


def _finish_scaled(
    out: Floats,
    first: Floats,
    second: Floats,
    base: Floats,
    last_first: Floats,
    mean: Float64s,
    rate: float,
    beta1: float,
    tau: float,
) -> Finish:
    first[:] = beta1 * last_first.astype(np.float64) + (1.0 - beta1) * mean
    out[:] = base + rate * (first.astype(np.float64) / (np.sqrt(second.astype(np.float64)) + tau))
    return _finish(out, mean, second)


def _finish(out: Floats, mean: Float64s, *kept: Floats) -> Finish:
    finite = np.logical_and.reduce([np.isfinite(each) for each in (out, *kept)])
    bad_means, bad = np.flatnonzero(~np.isfinite(mean)), np.flatnonzero(~finite)
    return Finish(
        largest=np.inf if bad_means.size else float(np.max(np.abs(mean), initial=0.0)),
        first_bad_mean=int(bad_means[0]) if bad_means.size else -1,
        first_bad=int(bad[0]) if bad.size else -1,
    )


def _int8_values(codes: Codes, scales: Float32s) -> Float32s:
    return np.repeat(scales, INT8_BLOCK)[: codes.size] * codes.astype(np.float32)


def _polynomial(coefficients: tuple[np.float32, ...], x: Float32s) -> Float32s:
    """Horner's rule, highest power first."""
    value = np.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        value = value * x + coefficient
    return value
