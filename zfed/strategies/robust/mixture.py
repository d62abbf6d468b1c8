"""A weighted sum of updates: what all rules come to that treat an update as one whole."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from zfed.params import Segment
from zfed.strategies.robust.rows import Row, float_blocks
from zfed_kernels import accumulate, squared_distance


class Mixture:
    """A weighted sum of rows, never there as a whole: only weights and rows are.

    Args:
        rows: At least one.
        weights: One for each.
    """

    def __init__(self, rows: Sequence[Row], weights: Sequence[float] | NDArray[np.float64]) -> None:
        self._rows = rows
        self._weights = [float(weight) for weight in weights]

    def __call__(self, segment: Segment, block: slice) -> NDArray[np.float64]:
        """Some elements of it."""
        total = np.zeros(block.stop - block.start)
        for row, weight in zip(self._rows, self._weights, strict=True):
            if weight:
                accumulate(total, row[segment][block], weight)
        return total

    def distances(self) -> NDArray[np.float64]:
        """The Euclidean distance of each row to it, in all floats."""
        squares = np.zeros(len(self._rows))
        for segment, block in float_blocks(self._rows[0]):
            here = self(segment, block)
            for index, row in enumerate(self._rows):
                squares[index] += squared_distance(row[segment][block], here)
        return np.sqrt(squares)


def lower_median(values: NDArray[np.float64]) -> float:
    """The middle one, or the smaller of the middle two."""
    return float(np.sort(values)[(len(values) - 1) // 2])
