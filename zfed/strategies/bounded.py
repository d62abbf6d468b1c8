"""Norm bounding: no update moves the model further than a bound lets it.

Sun et al., "Can You Really Backdoor Federated Learning?", arXiv 1911.07963, section 3.2: each update is
multiplied by min(1, bound / |d_i|).
"""

from __future__ import annotations

import math

from zfed.errors import ConfigError
from zfed.params import TensorKind
from zfed.strategies.contribution import Contribution, Needs
from zfed.strategies.mean import FedAvg


class NormBounding(FedAvg):
    """Federated averaging of updates that are shortened to a bound.

    The norm is that of the learned tensors; running statistics are averaged with the same weights, and are
    not bounded by themselves.

    Args:
        bound: Largest L2 norm of an update, above 0; metrics.jsonl has those of each round.
        server_learning_rate: Greater than 0.
        accumulator: As in `FedAvg`.
    """

    def __init__(
        self, *, bound: float, server_learning_rate: float = 1.0, accumulator: str = "exact"
    ) -> None:
        super().__init__(server_learning_rate=server_learning_rate, accumulator=accumulator)
        if not (math.isfinite(bound) and bound > 0):
            raise ConfigError(f"option bound is {bound}, expected a number above 0")
        self.bound = bound
        self.needs = Needs(strategy="norm-bounding", factor=self._factor)

    def _factor(self, update: Contribution) -> float:
        return self.bound / update.norm if update.norm > self.bound else 1.0

    def _divisor(self, kind: TensorKind, shares: float) -> float:
        if kind is not TensorKind.AVERAGE:
            return math.fsum(update.weight / update.discount for update in self._taken)
        return shares
