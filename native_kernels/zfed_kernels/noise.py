"""Gaussian noise for simulation: fast, reproducible, and no protection to anybody.

Whoever knows or guesses the key can subtract this noise again. Noise that protects a person's data must come
from a secret-keyed cryptographic stream, which this is not.

Value i of a stream is a pure function of (key, stream, i): it is the same on every machine, in any slicing of
the vector and for any number of threads. Values come in blocks of `BLOCK`. A block's random words give the
radii (first half) and angles (second half) of the Box-Muller transform; cosines go to the first half of the
block's values and sines to the second. All arithmetic is float32 additions, products and square roots, which
IEEE 754 defines to the bit; the library functions it avoids differ between machines.
"""

from __future__ import annotations

import numpy as np

from zfed_kernels import reference
from zfed_kernels._kernel import kernel
from zfed_kernels.reduction import accumulate
from zfed_kernels.reference import (
    COSINE,
    LN_2,
    LOG,
    PHILOX_FACTOR_0,
    PHILOX_FACTOR_1,
    PHILOX_ROUNDS,
    PHILOX_STEP_0,
    PHILOX_STEP_1,
    QUARTER_TURN,
    SINE,
    SQRT_HALF_BITS,
    Float32s,
    Floats,
    Words,
)

BLOCK = 2**15
"""Values made at a time: words and values stay in the L2 cache. Part of what defines a stream."""


def add_gaussian_noise(values: Floats, std: float, *, key: int, stream: int = 0, offset: int = 0) -> None:
    """Add normal noise to values, in place. For simulation only, see the module.

    Args:
        values: (p,) float32 or float64, contiguous.
        std: Standard deviation, at least 0. The noise has float32 precision and ends near 6.7 std.
        key: 0 to 2**64 - 1, for instance a run's seed.
        stream: 0 to 2**64 - 1; different streams of one key are independent.
        offset: Index in the stream of the first value.
    """
    words = np.empty(BLOCK, np.uint32)
    normals = np.empty(BLOCK, np.float32)
    cosine, sine = normals[: BLOCK // 2], normals[BLOCK // 2 :]
    radii = np.empty(BLOCK // 2, np.float32)
    done = 0
    while done < values.size:
        block, start = divmod(offset + done, BLOCK)
        count = min(BLOCK - start, values.size - done)
        philox(words, block * (BLOCK // 4), stream, key)
        radius(radii, words[: BLOCK // 2])
        cosine_and_sine(cosine, sine, words[BLOCK // 2 :])
        cosine *= radii
        sine *= radii
        accumulate(values[done : done + count], normals[start : start + count], std)
        done += count


@kernel(reference.philox, ("out uint32", "uint64", "uint64", "uint64"))
def philox(words: Words, first: int, stream: int, key: int) -> None:
    """Fill words with Philox4x32-10 of the counters first, first + 1, ... below 2**64.

    words (4 n,) uint32: lane l of counter first + j at l * n + j. stream is the counter's upper half.
    """
    low, half = np.uint64(0xFFFF_FFFF), np.uint64(32)  # 32-bit numbers in 64-bit words: products are whole
    count = words.size // 4
    lane0, lane1 = words[:count], words[count : 2 * count]
    lane2, lane3 = words[2 * count : 3 * count], words[3 * count :]
    for j in range(count):
        index = np.uint64(first) + np.uint64(j)
        w0, w1 = index & low, index >> half
        w2, w3 = np.uint64(stream) & low, np.uint64(stream) >> half
        k0, k1 = np.uint64(key) & low, np.uint64(key) >> half
        for _ in range(PHILOX_ROUNDS):
            left = np.uint64(PHILOX_FACTOR_0) * w0
            right = np.uint64(PHILOX_FACTOR_1) * w2
            w0, w1, w2, w3 = (right >> half) ^ w1 ^ k0, right & low, (left >> half) ^ w3 ^ k1, left & low
            k0 = (k0 + np.uint64(PHILOX_STEP_0)) & low
            k1 = (k1 + np.uint64(PHILOX_STEP_1)) & low
        lane0[j], lane1[j], lane2[j], lane3[j] = w0, w1, w2, w3


@kernel(reference.radius, ("out float32", "in uint32"))
def radius(out: Float32s, words: Words) -> None:
    """Write sqrt(-2 ln u) to out, with u = (word + 1/2) / 2**32 rounded to float32, never 0.

    out (n,), words (n,). u = 2**e * (1 + x) with 1 + x in [sqrt(1/2), sqrt(2)); ln(1 + x) is a polynomial.
    """
    one_half = np.float32(0.5)
    for i in range(out.size):
        out[i] = (np.float32(words[i]) + one_half) * np.float32(2.0**-32)
    bits = out.view(np.int32)
    for i in range(out.size):
        exponent = np.int32(bits[i] - SQRT_HALF_BITS) >> np.int32(23)
        bits[i] -= exponent << np.int32(23)
        x = out[i] - np.float32(1)
        log = LOG[0]
        for k in range(1, len(LOG)):
            log = log * x + LOG[k]
        log = x + (log * x * (x * x) - one_half * (x * x))
        out[i] = np.sqrt(np.float32(-2) * (np.float32(exponent) * LN_2 + log))


@kernel(reference.cosine_and_sine, ("out float32", "out float32", "in uint32"))
def cosine_and_sine(cosine: Float32s, sine: Float32s, words: Words) -> None:
    """Write cosine and sine of uniform angles: the upper 2 bits of a word are the quadrant, 30 the rest.

    cosine, sine, words (n,).
    """
    for i in range(words.size):
        quadrant = words[i] >> np.uint32(30)
        fraction = np.int32(words[i] & np.uint32(0x3FFF_FFFF)) - np.int32(0x2000_0000)
        x = np.float32(fraction) * QUARTER_TURN  # -pi/4 to pi/4
        square = x * x
        s = ((SINE[0] * square + SINE[1]) * square + SINE[2]) * square * x + x
        c = (COSINE[0] * square + COSINE[1]) * square + COSINE[2]
        c = c * square * square - np.float32(0.5) * square + np.float32(1)
        if quadrant & np.uint32(1):
            s, c = c, -s
        if quadrant & np.uint32(2):
            s, c = -s, -c
        cosine[i], sine[i] = c, s
