"""Sixteen bits a value: bfloat16 keeps float32's range, float16 more digits of a smaller one."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import numpy as np

from zfed.compression.codec import Bytes, Codec, Fault, Float32s, Totals
from zfed_kernels import (
    accumulate_bfloat16,
    accumulate_bfloat16_exact,
    accumulate_float16,
    accumulate_float16_exact,
    float32_to_bfloat16,
    float32_to_float16,
)


class _Half(Codec):
    """Each value rounded to nearest, ties to even; one beyond the largest becomes the largest."""

    alignment = 2
    _exponent: ClassVar[int]  # the bits that are all ones in infinities and NaN
    _exact: ClassVar[Callable[..., None]]
    _plain: ClassVar[Callable[..., None]]

    def nbytes(self, size: int) -> int:
        """Two bytes a value."""
        return 2 * size

    def fault(self, data: Bytes, size: int) -> Fault | None:
        """The first value that is not finite."""
        exponent = np.uint16(self._exponent)
        bad = (data.view(np.uint16) & exponent) == exponent
        if not bad.any():
            return None
        index = int(np.argmax(bad))
        seen = np.empty(1, np.float32)
        self.decode(data[2 * index : 2 * index + 2], seen)
        return Fault(
            "not-finite", f"{self.name} value {index} of a part is {seen[0]:g}, expected a finite number"
        )

    def accumulate(self, total: Totals, data: Bytes, weight: float, grid: float | None) -> None:
        """Widen and add block by block."""
        bits = data.view(np.uint16)
        if grid is None:
            type(self)._plain(total, bits, weight)
        else:
            type(self)._exact(total, bits, weight, grid)


class BFloat16(_Half):
    """8 bits of precision: off by at most 2**-9 of a power of two next to the value."""

    name = "bf16"
    _exponent = 0x7F80
    _exact = accumulate_bfloat16_exact
    _plain = accumulate_bfloat16

    def encode(self, values: Float32s, out: Bytes, *, key: int, stream: int) -> None:
        """Round to nearest; nothing is drawn."""
        float32_to_bfloat16(out.view(np.uint16), values)

    def decode(self, data: Bytes, out: Float32s) -> None:
        """Put sixteen zeros after the bits, which loses nothing."""
        np.left_shift(data.view(np.uint16), 16, out=out.view(np.uint32), dtype=np.uint32)


class Float16(_Half):
    """11 bits of precision from 2**-14 to 65504; below that steps of 2**-24."""

    name = "fp16"
    _exponent = 0x7C00
    _exact = accumulate_float16_exact
    _plain = accumulate_float16

    def encode(self, values: Float32s, out: Bytes, *, key: int, stream: int) -> None:
        """Round to nearest; nothing is drawn."""
        float32_to_float16(out.view(np.uint16), values)

    def decode(self, data: Bytes, out: Float32s) -> None:
        """Widen the values, which loses nothing."""
        out[:] = data.view(np.float16)
