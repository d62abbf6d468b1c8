"""q-FedAvg: the worse the model is for a worker, the more its update counts.

Li et al., "Fair Resource Allocation in Federated Learning", arXiv 1905.10497, algorithm 2. With the loss F_i
of the model that a worker was given, its update d_i and learning rate 1 / L,

    Delta_i = -F_i^q L d_i,    h_i = q F_i^(q - 1) |L d_i|^2 + L F_i^q,    x <- x - sum(Delta_i) / sum(h_i).

There the workers of a round are drawn with probability p_i; here each counts p_i times in both sums, which is
the same in the mean and asks everybody. Both are divided by L, which drops out where all have the same.
"""

from __future__ import annotations

import math
from typing import Final

from zfed.errors import ConfigError, UpdateError
from zfed.params import TensorKind
from zfed.strategies.contribution import Contribution, Needs
from zfed.strategies.mean import FedAvg
from zfed.task import LEARNING_RATE, LOSS_BEFORE

LEAST_FACTOR: Final = 2.0**-20
"""What counts less counts nothing: where losses are small, no more than 20 of a term's 51 bits are lost."""


class QFedAvg(FedAvg):
    """Federated averaging that favours workers for whom the model is bad.

    With q = 0 it is `FedAvg`. Even a single update is shortened, by how much it may change its own weight.
    Running statistics are averaged with the same weights. Tasks must report the loss before training, which
    takes a pass over their data, and their learning rate.

    Args:
        q: From 0 on: how much fairness counts against the mean.
        largest_loss: Largest F_i; what is above is refused. Losses far below lose precision: with q = 1 one
            that is a millionth of it counts nothing.
        server_learning_rate: Greater than 0; 1 in the paper.
        accumulator: As in `FedAvg`.
    """

    def __init__(
        self,
        *,
        q: float = 1.0,
        largest_loss: float = 16.0,
        server_learning_rate: float = 1.0,
        accumulator: str = "exact",
    ) -> None:
        super().__init__(server_learning_rate=server_learning_rate, accumulator=accumulator)
        for name, value, least in (("q", q, 0.0), ("largest_loss", largest_loss, math.ulp(0.0))):
            if not (math.isfinite(value) and value >= least):
                raise ConfigError(
                    f"option {name} is {value}, expected a number {'from 0 on' if not least else 'above 0'}"
                )
        self.q = q
        self.largest_loss = largest_loss
        self.needs = Needs(strategy="qfedavg", factor=self._factor, metrics=(LOSS_BEFORE, LEARNING_RATE))

    def _factor(self, update: Contribution) -> float:
        """(F_i / largest_loss)^q: at most 1, as the sum's grid asks; the scale drops out."""
        loss = _number(update, LOSS_BEFORE)
        if not 0 <= loss <= self.largest_loss:
            raise UpdateError(
                f"its {LOSS_BEFORE} is {loss:g}, qfedavg takes 0 to {self.largest_loss:g}: see --option "
                "largest_loss",
                code="strategy",
                seen=f"{loss:g}",
                limit=f"{self.largest_loss:g}",
            )
        if not _number(update, LEARNING_RATE) > 0:
            raise UpdateError(
                f"its {LEARNING_RATE} is {_number(update, LEARNING_RATE):g}, qfedavg needs one above 0",
                code="strategy",
                seen=f"{_number(update, LEARNING_RATE):g}",
                limit="above 0",
            )
        factor = (loss / self.largest_loss) ** self.q
        return factor if factor >= LEAST_FACTOR else 0.0

    def _divisor(self, kind: TensorKind, shares: float) -> float:
        if kind is not TensorKind.AVERAGE:
            return math.fsum(update.weight / update.discount for update in self._taken)
        return math.fsum(self._curvature(update) for update in self._taken)

    def _curvature(self, update: Contribution) -> float:
        """h_i / L, times what F_i^q is scaled by, of an update of a loss above 0."""
        loss, rate = _number(update, LOSS_BEFORE), _number(update, LEARNING_RATE)
        steepness = self.q * update.norm**2 / (rate * loss) if self.q else 0.0
        return update.weight / update.discount * (steepness + 1)


def _number(update: Contribution, name: str) -> float:
    value = update.metrics[name]
    return float(value) if isinstance(value, int | float) else math.nan
