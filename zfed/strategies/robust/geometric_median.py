"""The geometric median: the point with the smallest sum of distances to all updates.

Pillutla et al., "Robust Aggregation for Federated Learning" (RFA), arXiv 1912.13445, algorithm 2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from zfed.errors import ConfigError
from zfed.strategies.robust.base import RobustRule, checked_count, keeping_all
from zfed.strategies.robust.krum import closest_together, squared_distances
from zfed.strategies.robust.mixture import Mixture, lower_median
from zfed.strategies.robust.rows import CombineBlock, Row

SMOOTHING: Final = 1e-6
"""Smallest distance that counts, in those of the middle row: RFA's nu, which is absolute there."""


class GeometricMedian(RobustRule):
    """The point with the smallest sum of distances to all updates.

    The smoothed Weiszfeld algorithm: a mean weighted by 1 / distance, again and again. It begins at the mean
    of the majority that lies closest together, which hostile updates cannot move far; RFA leaves the
    beginning open, and from the mean of all it would take the longer the larger they are.

    Args:
        iterations: At most so many.
        tolerance: It ends when the distances of the nearer half change by less than this, relatively.
        server_learning_rate: As in `FedAvg`.
    """

    def __init__(
        self, *, iterations: int = 100, tolerance: float = 1e-6, server_learning_rate: float = 1.0
    ) -> None:
        self.iterations = checked_count("iterations", iterations, 1)
        if not (math.isfinite(tolerance) and tolerance >= 0):
            raise ConfigError(f"tolerance is {tolerance}, expected a number from 0 on")
        self.tolerance = tolerance
        super().__init__(server_learning_rate=server_learning_rate, needs=keeping_all("geometric-median"))

    def _combine(self, rows: Sequence[Row]) -> CombineBlock:
        majority = len(rows) // 2 + 1
        begin = closest_together(squared_distances(rows), majority - 1, majority)
        point = Mixture(rows, [float(index in begin) / majority for index in range(len(rows))])
        before = np.full(majority, np.inf)
        for _ in range(self.iterations):
            distances = point.distances()
            nearer = np.sort(distances)[:majority]
            if np.all(np.abs(nearer - before) <= self.tolerance * nearer):
                break
            point, before = Mixture(rows, weiszfeld_weights(distances)), nearer
        return point


def weiszfeld_weights(distances: NDArray[np.float64]) -> NDArray[np.float64]:
    """The weights of the next point, which add up to 1: the nearer a row, the more it weighs."""
    scale = lower_median(distances)
    if scale == 0:  # half of the rows or more are one point: that is the median
        weights = np.where(distances == 0, 1.0, 0.0)
    else:
        weights = 1 / np.maximum(distances / scale, SMOOTHING)
    weights /= np.cumsum(weights)[-1]
    return weights
