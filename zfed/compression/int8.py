"""Eight bits a value, and a scale for every 256 of them.

A part is its scales (float32), then its codes (int8).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zfed.compression.codec import Bytes, Codec, Fault, Float32s, Totals
from zfed_kernels import accumulate_int8, accumulate_int8_exact, int8_scales, int8_to_float32, quantise_int8

_WIDTH = 4  # bytes of a scale


class Int8(Codec):
    """Rounds each value up or down to a multiple of its block's scale, at random, so that the mean is right.

    Off by less than one scale, which is 1/127 of the largest |value| of the block; unbiased (QSGD, Alistarh
    et al., arXiv 1610.02132, Lemma 3.1).
    """

    name = "int8"

    def nbytes(self, size: int) -> int:
        """A byte a value, and its share of a scale."""
        return _WIDTH * int8_scales(size) + size

    def encode(self, values: Float32s, out: Bytes, *, key: int, stream: int) -> None:
        """Choose scales and round stochastically."""
        codes, scales = _codes_and_scales(out, values.size)
        quantise_int8(codes, scales, values, key=key, stream=stream)

    def decode(self, data: Bytes, out: Float32s) -> None:
        """Multiply each code by its scale, in float32."""
        int8_to_float32(out, *_codes_and_scales(data, out.size))

    def fault(self, data: Bytes, size: int) -> Fault | None:
        """The first scale, else code, that nobody encodes."""
        codes, scales = _codes_and_scales(data, size)
        with np.errstate(over="ignore"):
            good = (scales >= 0) & np.isfinite(scales * np.float32(127))  # NaN is not >= 0
        if not good.all():
            index = int(np.argmin(good))
            wanted = "expected one from 0 to 1/127 of float32's largest number"
            return Fault("not-finite", f"scale {index} of a part is {scales[index]:g}, {wanted}")
        if codes.size and codes.min() == -128:  # nobody rounds to it, and it is beyond the block's largest
            return Fault("layout", f"code {int(np.argmin(codes))} of a part is -128, expected -127 to 127")
        return None

    def accumulate(self, total: Totals, data: Bytes, weight: float, grid: float | None) -> None:
        """Decode and add block by block."""
        codes, scales = _codes_and_scales(data, total.size)
        if grid is None:
            accumulate_int8(total, codes, scales, weight)
        else:
            accumulate_int8_exact(total, codes, scales, weight, grid)


def _codes_and_scales(data: Bytes, size: int) -> tuple[NDArray[np.int8], Float32s]:
    border = _WIDTH * int8_scales(size)
    return data[border:].view(np.int8), data[:border].view(np.float32)
