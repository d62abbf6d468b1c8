"""FedNova: workers that take more steps do not pull the model further towards their own optimum.

Wang et al., "Tackling the Objective Inconsistency Problem in Heterogeneous Federated Optimization", arXiv
2007.07481, equations 6 and 7 for local SGD without momentum: with p_i = n_i / N and the steps tau_i,

    x <- x + r tau_eff sum(p_i d_i / tau_i),    tau_eff = sum(p_i tau_i).
"""

from __future__ import annotations

import math

from zfed.params import TensorKind
from zfed.strategies.contribution import Contribution, Needs
from zfed.strategies.mean import FedAvg


class FedNova(FedAvg):
    """Federated averaging of updates per step, times the mean number of steps.

    If all take as many, it is `FedAvg`. Running statistics are averaged per step, too.

    Args:
        server_learning_rate: Greater than 0.
        accumulator: As in `FedAvg`.
    """

    def __init__(self, *, server_learning_rate: float = 1.0, accumulator: str = "exact") -> None:
        super().__init__(server_learning_rate=server_learning_rate, accumulator=accumulator)
        self.needs = Needs(strategy="fednova", steps=True, factor=_per_step)

    def _divisor(self, kind: TensorKind, shares: float) -> float:
        if kind is not TensorKind.AVERAGE:
            return math.fsum(update.share / update.steps for update in self._taken)
        return shares**2 / math.fsum(update.share * update.steps for update in self._taken)


def _per_step(update: Contribution) -> float:
    return 1 / update.steps
