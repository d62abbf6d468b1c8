"""The updates of one round, summed: what every strategy that averages works on."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from zfed.errors import LayoutError, RunFailedError, UpdateError
from zfed.params import ParameterLayout, Segment, TensorKind
from zfed.params.dtypes import NUMPY_DTYPES
from zfed.strategies.coverage import Coverage
from zfed.strategies.pieces import Array, Buffer, pieces
from zfed_kernels import accumulate_exact


class UpdateSum:
    """Weighted sum of float tensors, exact in float64, and maximum of counters; the same bytes in any order.

    Pure and owned by one strategy.

    Args:
        layout: Of the moving tensors.
    """

    def __init__(self, layout: ParameterLayout) -> None:
        self.layout = layout
        self._totals = {segment: np.zeros(segment.size, _total_dtype(segment)) for segment in layout.segments}
        self._weights: list[float] = []
        self._grid = 0.0

    @staticmethod
    def memory(layout: ParameterLayout) -> int:
        """Bytes needed for such a layout."""
        return sum(segment.size * _total_dtype(segment).itemsize for segment in layout.segments)

    def open(self, grid: float) -> None:
        """Forget everything and sum on a new grid."""
        for segment, total in self._totals.items():
            total.fill(_least(total.dtype) if segment.kind is TensorKind.COUNTER else 0)
        self._weights.clear()
        self._grid = grid

    def add(self, chunks: Iterable[tuple[int, Buffer]], weight: float) -> None:
        """Add one update, given as slices of its vector in any order. One of weight 0 adds nothing.

        Raises:
            UpdateError: If the weight is negative or not finite; nothing is added.
            LayoutError: If the slices do not cover the vector, each byte once. The sum is spoilt then, as it
                is if `chunks` raises: it must be opened again.
        """
        if not self._grid:
            raise ValueError("no round is open")
        if not (math.isfinite(weight) and weight >= 0):
            raise UpdateError(f"weight is {weight}, expected a finite number from 0 on", code="weight")
        if weight == 0:
            return
        grid, self._grid = self._grid, 0.0
        coverage = Coverage(self.layout.nbytes)
        for offset, data in chunks:
            coverage.add(offset, memoryview(data).nbytes)
            for segment, first, values in pieces(self.layout, offset, data):
                total = self._totals[segment][first : first + values.size]
                if segment.kind is TensorKind.COUNTER:
                    np.maximum(total, values, out=total)
                else:
                    accumulate_exact(total, values, weight, grid)
        if fault := coverage.fault():
            raise LayoutError(f"update does not cover its layout: {fault}")
        self._weights.append(weight)
        self._grid = grid

    def close(self) -> float:
        """End the round; the sum of all weights, the same in any order.

        Raises:
            RunFailedError: If it is 0: there is no mean of nothing.
        """
        if not self._grid:
            raise ValueError("no round is open, or an update was added in part")
        self._grid = 0.0
        if not self._weights:
            raise RunFailedError("no update of this round has a weight above 0, so there is no mean")
        return math.fsum(self._weights)

    def total(self, segment: Segment) -> Array:
        """(n,) float64 sum of a segment, or the maximum if it holds counters; for the strategy to use up."""
        return self._totals[segment]


def _total_dtype(segment: Segment) -> np.dtype[Any]:
    return NUMPY_DTYPES[segment.dtype] if segment.kind is TensorKind.COUNTER else np.dtype(np.float64)


def _least(dtype: np.dtype[Any]) -> int | bool:
    return False if dtype == np.bool_ else int(np.iinfo(dtype).min)
