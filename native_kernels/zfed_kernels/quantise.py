"""Updates in fewer bits: float32 to bfloat16 and int8, and sums of what was encoded, decoded on the way.

An accumulating kernel here does what `accumulate` or `accumulate_exact` does with the decoded float32 values,
to the bit, without writing these to memory. Halves are decoded into a block that stays in the L1 cache:
neither numpy nor numba can read a word's bits as another type without an array. Loops run over slices from
0 on, because with an offset in the index the compiler does not vectorise them (4 to 5 times slower).
"""

from __future__ import annotations

import numpy as np

from zfed_kernels import reference
from zfed_kernels._kernel import kernel
from zfed_kernels.noise import BLOCK, philox
from zfed_kernels.reference import (
    INT8_BLOCK,
    INT8_STEP,
    LARGEST_INT8_SCALE,
    Codes,
    Float32s,
    Float64s,
    Floats,
    HalfBits,
    Words,
)

_LANES = 1024  # halves worked on at a time

# float16 among float32: the same numbers have exponents 112 apart
_INFINITY16 = np.uint32(0x7C00)
_BIAS = np.uint32(112 << 23)
_BIAS_UP = np.uint32(113 << 23)
_INFINITY = np.uint32(0x7F80_0000 - (0x7C00 << 13))  # makes float16's largest exponent float32's
_SMALLEST_NORMAL16 = np.float32(2.0**-14)
_LARGEST16 = np.uint32(0x477F_E000)  # float32 bits of 65504
_HALF = np.uint32(0x3F00_0000)  # float32 bits of 1/2, whose last place is 2**-24


def int8_scales(size: int) -> int:
    """How many scales (`INT8_BLOCK` codes share one) `size` codes have."""
    return -(-size // INT8_BLOCK)


def quantise_int8(codes: Codes, scales: Float32s, values: Float32s, *, key: int, stream: int = 0) -> None:
    """Encode values as code * scale, rounded up or down at random so that the mean is right.

    A scale is 1/127 of the largest |value| of its block. This is QSGD's quantiser with 127 levels and the
    largest value in place of the norm (Alistarh et al., arXiv 1610.02132, sections 3.1 and 5): unbiased, off
    by less than one scale.

    Args:
        codes: (n,) int8, written: -127 to 127.
        scales: (int8_scales(n),) float32, written.
        values: (n,) float32, finite.
        key: 0 to 2**64 - 1. Equal keys and streams round alike.
        stream: 0 to 2**64 - 1; different streams of one key are independent.
    """
    words = np.empty(BLOCK, np.uint32)
    for start in range(0, values.size, BLOCK):
        part = slice(start, min(start + BLOCK, values.size))
        count = part.stop - start
        drawn = words[: -(-count // 4) * 4]  # Philox makes four at a time; most tensors are short
        philox(drawn, start // 4, stream, key)
        blocks = slice(start // INT8_BLOCK, start // INT8_BLOCK + int8_scales(count))
        float32_to_int8(codes[part], scales[blocks], values[part], drawn[:count])


def _codes_then_scales(codes: int, scales: int, *others: int) -> bool:
    return scales == int8_scales(codes) and all(size == codes for size in others)


def _total_codes_scales(total: int, codes: int, scales: int) -> bool:
    return total == codes and scales == int8_scales(codes)


@kernel(
    reference.float32_to_int8,
    ("out int8", "out float32", "in float32", "in uint32"),
    fit=_codes_then_scales,
)
def float32_to_int8(codes: Codes, scales: Float32s, values: Float32s, words: Words) -> None:
    """Encode values with given random words; see `quantise_int8`.

    The largest value is found on the bits: integers have a maximum that vectorises, floats have NaN.
    """
    largest_bits = np.empty(1, np.uint32)
    largest = largest_bits.view(np.float32)
    for block in range(scales.size):
        start = block * INT8_BLOCK
        part, draws = values[start : start + INT8_BLOCK], words[start : start + INT8_BLOCK]
        out, bits = codes[start : start + INT8_BLOCK], part.view(np.uint32)
        most = np.uint32(0)
        for i in range(bits.size):
            most = max(most, np.uint32(bits[i] & np.uint32(0x7FFF_FFFF)))
        largest_bits[0] = most
        scale = min(np.float32(np.float64(largest[0]) * INT8_STEP), LARGEST_INT8_SCALE)
        scales[block] = scale
        divisor = np.float64(scale) if scale > 0 else np.inf  # all codes are 0 then
        for i in range(part.size):
            level = np.floor(np.float64(part[i]) / divisor + np.float64(draws[i]) * 2.0**-32)
            out[i] = np.int8(min(max(level, -127.0), 127.0))


@kernel(
    reference.int8_to_float32,
    ("out float32", "in int8", "in float32"),
    fit=_total_codes_scales,
)
def int8_to_float32(out: Float32s, codes: Codes, scales: Float32s) -> None:
    """Write code * scale, rounded to float32, to out (n,)."""
    for block in range(scales.size):
        start = block * INT8_BLOCK
        values, part, scale = (
            out[start : start + INT8_BLOCK],
            codes[start : start + INT8_BLOCK],
            scales[block],
        )
        for i in range(part.size):
            values[i] = scale * np.float32(part[i])


@kernel(
    reference.accumulate_int8_exact,
    ("out float64", "in int8", "in float32", "float64", "float64"),
    fit=_total_codes_scales,
)
def accumulate_int8_exact(
    total: Float64s, codes: Codes, scales: Float32s, weight: float, grid: float
) -> None:
    """Add weight * decoded codes, each term rounded to a multiple of grid, to total (n,) in place."""
    magic = 1.5 * 2.0**52 * grid
    for block in range(scales.size):
        start = block * INT8_BLOCK
        sums, part, scale = (
            total[start : start + INT8_BLOCK],
            codes[start : start + INT8_BLOCK],
            scales[block],
        )
        for i in range(part.size):
            sums[i] += (weight * np.float64(scale * np.float32(part[i])) + magic) - magic


@kernel(
    reference.accumulate_int8,
    ("out float32", "in int8", "in float32", "float64"),
    ("out float64", "in int8", "in float32", "float64"),
    fit=_total_codes_scales,
)
def accumulate_int8(total: Floats, codes: Codes, scales: Float32s, weight: float) -> None:
    """Add weight * decoded codes to total (n,) in place."""
    factor = total.dtype.type(weight)
    for block in range(scales.size):
        start = block * INT8_BLOCK
        sums, part, scale = (
            total[start : start + INT8_BLOCK],
            codes[start : start + INT8_BLOCK],
            scales[block],
        )
        for i in range(part.size):
            sums[i] += factor * total.dtype.type(scale * np.float32(part[i]))


@kernel(reference.float32_to_bfloat16, ("out uint16", "in float32"))
def float32_to_bfloat16(bits: HalfBits, values: Float32s) -> None:
    """Round values to bfloat16, to nearest with ties to even, and write the bits.

    values (n,) finite; one that would round to infinity becomes the largest bfloat16.
    """
    whole = values.view(np.uint32)
    for i in range(whole.size):
        word = whole[i]
        rounded = (word + np.uint32(0x7FFF) + ((word >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)
        sign = rounded & np.uint32(0x8000)
        bits[i] = np.uint16(sign | min(np.uint32(rounded & np.uint32(0x7FFF)), np.uint32(0x7F7F)))


@kernel(reference.accumulate_bfloat16_exact, ("out float64", "in uint16", "float64", "float64"))
def accumulate_bfloat16_exact(total: Float64s, bits: HalfBits, weight: float, grid: float) -> None:
    """Add weight * bfloat16 bits, each term rounded to a multiple of grid, to total (n,) in place."""
    magic = 1.5 * 2.0**52 * grid
    words = np.empty(_LANES, np.uint32)
    values = words.view(np.float32)
    for start in range(0, bits.size, _LANES):
        sums, part = total[start : start + _LANES], bits[start : start + _LANES]
        for j in range(part.size):
            words[j] = np.uint32(part[j]) << np.uint32(16)
        for j in range(part.size):
            sums[j] += (weight * np.float64(values[j]) + magic) - magic


@kernel(
    reference.accumulate_bfloat16,
    ("out float32", "in uint16", "float64"),
    ("out float64", "in uint16", "float64"),
)
def accumulate_bfloat16(total: Floats, bits: HalfBits, weight: float) -> None:
    """Add weight * bfloat16 bits to total (n,) in place."""
    factor = total.dtype.type(weight)
    words = np.empty(_LANES, np.uint32)
    values = words.view(np.float32)
    for start in range(0, bits.size, _LANES):
        sums, part = total[start : start + _LANES], bits[start : start + _LANES]
        for j in range(part.size):
            words[j] = np.uint32(part[j]) << np.uint32(16)
        for j in range(part.size):
            sums[j] += factor * total.dtype.type(values[j])


@kernel(reference.float32_to_float16, ("out uint16", "in float32"))
def float32_to_float16(bits: HalfBits, values: Float32s) -> None:
    """Round values to float16, to nearest with ties to even, and write the bits.

    values (n,) finite; one beyond the largest float16 becomes that. A subnormal result comes from adding
    1/2: that addition rounds to a multiple of 2**-24, as float16 does there.
    """
    raised = np.empty(_LANES, np.float32)
    raised_bits = raised.view(np.uint32)
    sizes = np.empty(_LANES, np.uint32)
    floats = sizes.view(np.float32)
    whole = values.view(np.uint32)
    for start in range(0, whole.size, _LANES):
        out, part = bits[start : start + _LANES], whole[start : start + _LANES]
        for j in range(part.size):
            sizes[j] = min(np.uint32(part[j] & np.uint32(0x7FFF_FFFF)), _LARGEST16)
        for j in range(part.size):
            raised[j] = floats[j] + np.float32(0.5)
        for j in range(part.size):
            odd = (sizes[j] >> np.uint32(13)) & np.uint32(1)
            normal = (sizes[j] - _BIAS + np.uint32(0x0FFF) + odd) >> np.uint32(13)
            size = raised_bits[j] - _HALF if sizes[j] < _BIAS_UP else normal  # _BIAS_UP is 2**-14 in float32
            out[j] = np.uint16(((part[j] >> np.uint32(16)) & np.uint32(0x8000)) | size)


@kernel(reference.accumulate_float16_exact, ("out float64", "in uint16", "float64", "float64"))
def accumulate_float16_exact(total: Float64s, bits: HalfBits, weight: float, grid: float) -> None:
    """Add weight * float16 bits, each term rounded to a multiple of grid, to total (n,) in place.

    A number's bits are moved to their places in a float32. Of a subnormal one, m * 2**-24, that makes
    2**-15 + m * 2**-25, which doubled is 2**-14 too much. A shift and a product with 2**112 would be exact,
    too, but some processors take a hundred cycles for each subnormal float32.
    """
    magic = 1.5 * 2.0**52 * grid
    words = np.empty(_LANES, np.uint32)
    values = words.view(np.float32)
    for start in range(0, bits.size, _LANES):
        sums, part = total[start : start + _LANES], bits[start : start + _LANES]
        for j in range(part.size):
            size, sign = np.uint32(part[j]) & np.uint32(0x7FFF), np.uint32(part[j]) & np.uint32(0x8000)
            bias = _INFINITY if size >= _INFINITY16 else _BIAS
            words[j] = (sign << np.uint32(16)) | ((size << np.uint32(13)) + bias)
        for j in range(part.size):
            size = abs(values[j])
            decoded = size if size >= _SMALLEST_NORMAL16 else size + size - _SMALLEST_NORMAL16
            sums[j] += (weight * np.float64(np.copysign(decoded, values[j])) + magic) - magic


@kernel(
    reference.accumulate_float16,
    ("out float32", "in uint16", "float64"),
    ("out float64", "in uint16", "float64"),
)
def accumulate_float16(total: Floats, bits: HalfBits, weight: float) -> None:
    """Add weight * float16 bits to total (n,) in place; see `accumulate_float16_exact`."""
    factor = total.dtype.type(weight)
    words = np.empty(_LANES, np.uint32)
    values = words.view(np.float32)
    for start in range(0, bits.size, _LANES):
        sums, part = total[start : start + _LANES], bits[start : start + _LANES]
        for j in range(part.size):
            size, sign = np.uint32(part[j]) & np.uint32(0x7FFF), np.uint32(part[j]) & np.uint32(0x8000)
            bias = _INFINITY if size >= _INFINITY16 else _BIAS
            words[j] = (sign << np.uint32(16)) | ((size << np.uint32(13)) + bias)
        for j in range(part.size):
            size = abs(values[j])
            decoded = size if size >= _SMALLEST_NORMAL16 else size + size - _SMALLEST_NORMAL16
            sums[j] += factor * total.dtype.type(np.copysign(decoded, values[j]))
