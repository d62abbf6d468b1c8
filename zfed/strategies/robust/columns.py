"""Coordinate median and trimmed mean: each number on its own.

Yin et al., "Byzantine-Robust Distributed Learning: Towards Optimal Statistical Rates", arXiv 1803.01498,
definitions 1 and 2.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from zfed.params import Segment
from zfed.strategies.pieces import Array
from zfed.strategies.robust.base import RobustRule, checked_count, keeping_all
from zfed.strategies.robust.rows import CombineBlock, Row, side_by_side
from zfed_kernels import sort_columns


class Median(RobustRule):
    """The median of each number; of an even number of updates the mean of the middle two.

    It stays between what honest workers sent as long as they are more than half.

    Args:
        server_learning_rate: As in `FedAvg`.
    """

    def __init__(self, *, server_learning_rate: float = 1.0) -> None:
        needs = keeping_all("median", by_number=True)
        super().__init__(server_learning_rate=server_learning_rate, needs=needs)

    def _combine(self, rows: Sequence[Row]) -> CombineBlock:
        return of_sorted_columns(rows, middle)


class TrimmedMean(RobustRule):
    """The mean of each number without the largest and smallest values.

    It stays between what honest workers sent if no more than `trim` are not.

    Args:
        trim: Values left out at either end. A version needs more than twice as many updates.
        server_learning_rate: As in `FedAvg`.
    """

    def __init__(self, *, trim: int = 1, server_learning_rate: float = 1.0) -> None:
        self.trim = checked_count("trim", trim)
        needs = keeping_all(f"trimmed-mean with trim={trim}", 2 * trim + 1, by_number=True)
        super().__init__(server_learning_rate=server_learning_rate, needs=needs)

    def _combine(self, rows: Sequence[Row]) -> CombineBlock:
        return of_sorted_columns(rows, lambda values: mean_of(values[self.trim : len(values) - self.trim]))


def of_sorted_columns(rows: Sequence[Row], reduce: Callable[[Array], NDArray[np.float64]]) -> CombineBlock:
    """What `reduce` makes of a matrix whose columns are sorted."""

    def combined(segment: Segment, block: slice) -> NDArray[np.float64]:
        values = side_by_side(rows, segment, block)
        sort_columns(values)
        return reduce(values)

    return combined


def middle(values: Array) -> NDArray[np.float64]:
    """The median of sorted columns."""
    low, high = values[(len(values) - 1) // 2], values[len(values) // 2]
    median: NDArray[np.float64] = 0.5 * low.astype(np.float64)  # half of each: their sum may overflow
    median += 0.5 * high.astype(np.float64)
    return median


def mean_of(values: Array) -> NDArray[np.float64]:
    """The mean of columns, added from above to below: numpy's own sum has an order of its own."""
    total = np.zeros(values.shape[1])
    for line in values:
        total += line
    total /= len(values)
    return total
