"""Centred clipping: no update moves the result by more than a radius from where it was.

Karimireddy et al., "Learning from History for Byzantine Robust Optimization", arXiv 2012.10333, section 4.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from zfed.errors import ConfigError
from zfed.params import Segment, TensorKind
from zfed.strategies.mean import Piece, state_key
from zfed.strategies.pieces import Array
from zfed.strategies.robust.base import RobustRule, checked_count, keeping_all
from zfed.strategies.robust.mixture import Mixture, lower_median
from zfed.strategies.robust.rows import CombineBlock, Row
from zfed_kernels import Finish


class CentredClipping(RobustRule):
    """Each update moves the result by its part of a radius at most, from that of the round before.

    v <- v + mean of (x - v) min(1, radius / |x - v|) over all updates x; v is kept from round to round, in a
    state of the model's size, and is 0 at first.

    Args:
        radius: In the units of an update's norm. 0: the middle one of the distances, in each step.
        iterations: Steps in a round; the paper takes one, from a result that is near already.
        server_learning_rate: As in `FedAvg`.
    """

    def __init__(
        self, *, radius: float = 0.0, iterations: int = 3, server_learning_rate: float = 1.0
    ) -> None:
        if not (math.isfinite(radius) and radius >= 0):
            raise ConfigError(f"radius is {radius}, expected a number from 0 on")
        self.radius = radius
        self.iterations = checked_count("iterations", iterations, 1)
        super().__init__(server_learning_rate=server_learning_rate, needs=keeping_all("centred-clipping"))

    def _combine(self, rows: Sequence[Row]) -> CombineBlock:
        everything = [self._centre(rows[0]), *rows]
        weights = np.array([1.0, *[0.0] * len(rows)])
        for _ in range(self.iterations):
            distances = Mixture(everything, weights).distances()[1:]
            radius = self.radius or lower_median(distances)
            steps = radius / np.maximum(np.maximum(distances, radius), np.finfo(np.float64).tiny) / len(rows)
            weights *= 1 - np.cumsum(steps)[-1]
            weights[1:] += steps
        return Mixture(everything, weights)

    def _centre(self, row: Row) -> Row:
        """What the round before came to."""
        floats = (segment for segment in row if segment.kind is not TensorKind.COUNTER)
        return {segment: self._state[state_key("centre", segment)] for segment in floats}

    def _roles(self, segment: Segment) -> tuple[str, ...]:
        kept = () if segment.kind is TensorKind.COUNTER else ("centre",)
        return (*super()._roles(segment), *kept)

    def _step(
        self,
        piece: Piece,
        out: Array,
        base: Array,
        total: Array,
        weight: float,
        state: dict[str, Array],
    ) -> Finish:
        state[state_key("centre", piece.segment)][piece.block] = total
        return super()._step(piece, out, base, total, weight, state)
