"""The largest values of each part and where they are; the others are left to error feedback.

A part of n values keeps k = ceil(ratio * n): k values (float32), then their k indices in the part (uint16,
ascending). Parts have at most 2**16 values so that an index takes two bytes, and the selection its cache's
worth; keeping the top k of every part is a k-contraction as keeping the top k of the whole is (Stich et al.,
"Sparsified SGD with memory", arXiv 1809.07599, definition 2.1).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from zfed.compression.codec import Bytes, Codec, Fault, Float32s, Totals
from zfed_kernels import accumulate, accumulate_exact

_VALUE, _INDEX = 4, 2  # bytes


class TopK(Codec):
    """Keeps the largest |values|; of equal ones the first. The same choice on every machine.

    Args:
        ratio: Share of values kept, above 0 and at most 1; at least one of each part.
    """

    part_size = 2**16

    def __init__(self, ratio: float) -> None:
        self.name = f"topk:{ratio!r}"
        self._ratio = ratio

    def kept(self, size: int) -> int:
        """How many of a part's `size` values are kept."""
        return math.ceil(self._ratio * size)

    def nbytes(self, size: int) -> int:
        """Six bytes a kept value."""
        return (_VALUE + _INDEX) * self.kept(size)

    def encode(self, values: Float32s, out: Bytes, *, key: int, stream: int) -> None:
        """Write the largest values and their indices; nothing is drawn."""
        chosen = largest(values, self.kept(values.size))
        kept, indices = _values_and_indices(out)
        kept[:] = values[chosen]
        indices[:] = chosen

    def decode(self, data: Bytes, out: Float32s) -> None:
        """Put the kept values among zeros."""
        values, indices = _values_and_indices(data)
        out[:] = 0
        out[indices] = values

    def fault(self, data: Bytes, size: int) -> Fault | None:
        """A value that is not finite, else an index out of place."""
        values, indices = _values_and_indices(data)
        finite = np.isfinite(values)
        if not finite.all():
            index = int(np.argmin(finite))
            return Fault("not-finite", f"kept value {index} of a part is {values[index]:g}, expected finite")
        steps = np.diff(indices.astype(np.int32), prepend=-1, append=size)
        if (steps <= 0).any():  # the last step tells an index beyond the part
            at = min(int(np.argmax(steps <= 0)), indices.size - 1)
            wanted = f"expected ascending ones below {size}"
            return Fault("layout", f"index {at} of a part is {indices[at]}, {wanted}")
        return None

    def accumulate(self, total: Totals, data: Bytes, weight: float, grid: float | None) -> None:
        """Add where a value was kept."""
        values, indices = _values_and_indices(data)
        touched = total[indices]  # each index is there once
        if grid is None:
            accumulate(touched, values, weight)
        else:
            accumulate_exact(touched, values, weight, grid)
        total[indices] = touched


def largest(values: Float32s, count: int) -> NDArray[np.intp]:
    """Ascending indices of the `count` largest |values|; of equal ones the first. Values are finite.

    The count-th largest number is the same however a partition is made, an argpartition is not.
    """
    sizes = np.abs(values)
    border = np.partition(sizes, values.size - count)[values.size - count]
    above = np.flatnonzero(sizes > border)
    level = np.flatnonzero(sizes == border)[: count - above.size]
    return np.sort(np.concatenate([above, level]))


def _values_and_indices(data: Bytes) -> tuple[Float32s, NDArray[np.uint16]]:
    border = data.size // (_VALUE + _INDEX) * _VALUE
    return data[:border].view(np.float32), data[border:].view(np.uint16)
