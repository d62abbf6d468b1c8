"""Krum and Multi-Krum: the updates that have the most of the others close to them.

Blanchard et al., "Machine Learning with Adversaries: Byzantine Tolerant Gradient Descent" (NIPS 2017; arXiv
1703.02757), sections 4 and 6.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from zfed.strategies.robust.base import RobustRule, checked_count, keeping_all
from zfed.strategies.robust.mixture import Mixture
from zfed.strategies.robust.rows import CombineBlock, Row, float_blocks
from zfed_kernels import squared_distance


class Krum(RobustRule):
    """The one update whose squared distances to its n - f - 2 nearest others have the smallest sum.

    Args:
        byzantine: Hostile workers that it has to bear, f. A version needs 2 f + 3 updates.
        server_learning_rate: As in `FedAvg`.
    """

    def __init__(self, *, byzantine: int = 1, server_learning_rate: float = 1.0) -> None:
        self.byzantine = checked_count("byzantine", byzantine)
        needs = keeping_all(f"krum with byzantine={byzantine}", 2 * byzantine + 3)
        super().__init__(server_learning_rate=server_learning_rate, needs=needs)

    def _combine(self, rows: Sequence[Row]) -> CombineBlock:
        chosen = closest_together(squared_distances(rows), len(rows) - self.byzantine - 2, 1)
        return Mixture([rows[chosen[0]]], [1.0])


class MultiKrum(RobustRule):
    """The mean of the m updates with the smallest of Krum's sums.

    Args:
        byzantine: Hostile workers that it has to bear, f. A version needs 2 f + 3 updates.
        keep: Updates that the mean is of, m. More than n - f would take in hostile ones. 0: n - f - 2, as
            El Mhamdi et al. (arXiv 1802.07927, section 2) have it.
        server_learning_rate: As in `FedAvg`.
    """

    def __init__(self, *, byzantine: int = 1, keep: int = 0, server_learning_rate: float = 1.0) -> None:
        self.byzantine = checked_count("byzantine", byzantine)
        self.keep = checked_count("keep", keep)
        needs = keeping_all(
            f"multi-krum with byzantine={byzantine} and keep={keep}",
            max(2 * byzantine + 3, keep + byzantine),
        )
        super().__init__(server_learning_rate=server_learning_rate, needs=needs)

    def _combine(self, rows: Sequence[Row]) -> CombineBlock:
        neighbours = len(rows) - self.byzantine - 2
        chosen = closest_together(squared_distances(rows), neighbours, self.keep or neighbours)
        return Mixture([rows[index] for index in chosen], [1 / len(chosen)] * len(chosen))


def squared_distances(rows: Sequence[Row]) -> NDArray[np.float64]:
    """The squared Euclidean distance of every row to every other in all floats, (n, n)."""
    squares = np.zeros((len(rows), len(rows)))
    for segment, block in float_blocks(rows[0]):
        for i, row in enumerate(rows):
            for j in range(i):
                squares[i, j] += squared_distance(row[segment][block], rows[j][segment][block])
    return squares + squares.T


def closest_together(squares: NDArray[np.float64], neighbours: int, count: int) -> list[int]:
    """The `count` rows with the smallest sums of squared distances to so many nearest others.

    In the order of the rows; of equal sums those of the first rows are taken.
    """
    scores = [_sum_of_nearest(np.delete(row, index), neighbours) for index, row in enumerate(squares)]
    return sorted(np.argsort(scores, kind="stable")[:count].tolist())


def _sum_of_nearest(squares: NDArray[np.float64], neighbours: int) -> float:
    """Added one after the other: numpy's own sum has an order of its own."""
    return float(np.cumsum([0.0, *np.sort(squares)[:neighbours]])[-1])
