"""FLTrust: an update counts as far as it points where the update of somebody trusted points.

Cao et al., "FLTrust: Byzantine-robust Federated Learning via Trust Bootstrapping", arXiv 2012.13995,
section IV.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from zfed.errors import RunFailedError
from zfed.params import ParameterLayout
from zfed.strategies.combined import Combined
from zfed.strategies.contribution import Contribution
from zfed.strategies.pieces import Buffer
from zfed.strategies.robust.base import RobustRule, keeping_all
from zfed.strategies.robust.kept_updates import KeptUpdates
from zfed.strategies.robust.mixture import Mixture
from zfed.strategies.robust.rows import CombineBlock, Row, float_blocks
from zfed_kernels import dot


class FLTrust(RobustRule):
    """The mean of updates at the root update's length, weighted by max(0, cosine) of the angle to it.

    The root update is what the evaluator makes of data of its own. Where no update points its way, the model
    stays as it is.

    Args:
        server_learning_rate: As in `FedAvg`.
    """

    def __init__(self, *, server_learning_rate: float = 1.0) -> None:
        super().__init__(server_learning_rate=server_learning_rate, needs=keeping_all("fltrust", root=True))

    def open_round(self, grid: float) -> None:
        """Begin a round, also without the root update of the one before."""
        super().open_round(grid)
        self._root.open(grid)

    def accumulate_root(self, update: Contribution, chunks: Iterable[tuple[int, Buffer]]) -> None:
        """Keep the update that all others are compared with."""
        self._root.add(update, chunks)

    def _combine(self, rows: Sequence[Row]) -> CombineBlock:
        if len(self._root.rows) != 1:
            raise RunFailedError(
                f"fltrust needs one root update of the evaluator, has {len(self._root.rows)}"
            )
        (root,) = self._root.rows
        length = math.sqrt(_dot(root, root))
        trust, factors = [], []
        for row in rows:
            own = math.sqrt(_dot(row, row))
            cosine = _dot(row, root) / (own * length) if own * length else 0.0
            trust.append(max(0.0, cosine))
            factors.append(length / own if own else 0.0)
        together = math.fsum(trust)
        weights = [
            each * factor / together if together else 0.0 for each, factor in zip(trust, factors, strict=True)
        ]
        return Mixture(rows, weights)

    def _gather(self, layout: ParameterLayout) -> Combined:
        self._root = KeptUpdates(layout, self._combine, 1)
        return super()._gather(layout)

    def _gathered_memory(self, layout: ParameterLayout, updates: int) -> int:
        return super()._gathered_memory(layout, updates + 1)


def _dot(one: Row, other: Row) -> float:
    """The product of two rows in all floats."""
    total = 0.0
    for segment, block in float_blocks(one):
        total += dot(one[segment][block], other[segment][block])
    return total
