"""Bulyan: choose updates as Krum does, then trust each number only near the median of the chosen.

El Mhamdi et al., "The Hidden Vulnerability of Distributed Learning in Byzantium", arXiv 1802.07927,
section 4.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from zfed.strategies.pieces import Array
from zfed.strategies.robust.base import RobustRule, checked_count, keeping_all
from zfed.strategies.robust.columns import middle, of_sorted_columns
from zfed.strategies.robust.krum import closest_together, squared_distances
from zfed.strategies.robust.rows import CombineBlock, Row


class Bulyan(RobustRule):
    """Krum chooses n - 2 f updates; of each number the n - 4 f values nearest their median are averaged.

    Args:
        byzantine: Hostile workers that it has to bear, f. A version needs 4 f + 3 updates.
        server_learning_rate: As in `FedAvg`.
    """

    def __init__(self, *, byzantine: int = 1, server_learning_rate: float = 1.0) -> None:
        self.byzantine = checked_count("byzantine", byzantine)
        needs = keeping_all(f"bulyan with byzantine={byzantine}", 4 * byzantine + 3, by_number=True)
        super().__init__(server_learning_rate=server_learning_rate, needs=needs)

    def _combine(self, rows: Sequence[Row]) -> CombineBlock:
        chosen = choose_one_by_one(squared_distances(rows), self.byzantine)
        nearest = len(rows) - 4 * self.byzantine
        return of_sorted_columns(
            [rows[index] for index in chosen], lambda values: near_middle(values, nearest)
        )


def choose_one_by_one(squares: NDArray[np.float64], byzantine: int) -> list[int]:
    """Krum's choice among all rows, then among all others, until there are n - 2 f; ascending.

    Near the end fewer rows are left than Krum is defined for: it then goes by the one nearest other.
    """
    left = list(range(len(squares)))
    while len(left) > 2 * byzantine:
        neighbours = max(len(left) - byzantine - 2, 1)
        left.pop(closest_together(squares[np.ix_(left, left)], neighbours, 1)[0])
    return sorted(set(range(len(squares))) - set(left))


def near_middle(values: Array, nearest: int) -> NDArray[np.float64]:
    """The mean of the values nearest the median, of sorted columns; of two as near the smaller one.

    In a sorted column they are neighbours: a window that moves up as long as what it would take in is nearer
    than what it would leave.
    """
    median = middle(values)
    first = np.zeros(median.size, np.int64)
    for start in range(len(values) - nearest):
        first += values[start + nearest] - median < median - values[start]
    total = np.zeros(median.size)
    for index, line in enumerate(values):
        inside = (first <= index) & (index < first + nearest)
        total += np.where(inside, line, 0)
    total /= nearest
    return total
