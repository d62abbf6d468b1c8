"""Server optimisers that scale each parameter's step: FedAdagrad, FedAdam, FedYogi.

Reddi et al., "Adaptive Federated Optimization", arXiv 2003.00295, algorithm 2. With the mean update d:

    m <- beta1 m + (1 - beta1) d
    v <- v + d^2                                 FedAdagrad
         beta2 v + (1 - beta2) d^2               FedAdam
         v - (1 - beta2) d^2 sign(v - d^2)       FedYogi
    x <- x + r m / (sqrt(v) + tau)

where m begins as 0 and v as tau^2, the least that the paper allows. There is no bias correction, as there.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import TypeAlias

import numpy as np

from zfed.errors import ConfigError
from zfed.params import Segment, TensorKind
from zfed.strategies.mean import FedAvg, Piece, compute_dtype, state_key
from zfed.strategies.pieces import Array
from zfed_kernels import Finish, finish_adaptive, finish_yogi

Moments: TypeAlias = tuple[Array, Array]
"""m and v."""


class AdaptiveStrategy(FedAvg):
    """What the three have in common: m, v and tau.

    Running statistics and counters are not parameters to be optimised: see `FedAvg`. A tensor of half
    precision has its float32 master, and m and v in float32.

    Args:
        server_learning_rate: r, greater than 0.
        server_momentum: beta1, from 0 to below 1.
        tau: Greater than 0.
        accumulator: As in `FedAvg`.
    """

    def __init__(
        self,
        *,
        server_learning_rate: float = 0.01,
        server_momentum: float = 0.9,
        tau: float = 1e-3,
        accumulator: str = "exact",
    ) -> None:
        super().__init__(server_learning_rate=server_learning_rate, accumulator=accumulator)
        if not 0 <= server_momentum < 1:
            raise ConfigError(f"server momentum is {server_momentum}, expected a number from 0 to below 1")
        if not (math.isfinite(tau) and tau > 0):
            raise ConfigError(f"option tau is {tau}, expected a number above 0")
        self.server_momentum = server_momentum
        self.tau = tau

    def _roles(self, segment: Segment) -> tuple[str, ...]:
        moments = ("first_moment", "second_moment") if segment.kind is TensorKind.AVERAGE else ()
        return (*super()._roles(segment), *moments)

    def _first(self, role: str, segment: Segment, values: Array) -> Array:
        if role == "second_moment":
            return np.full(segment.size, self.tau**2, compute_dtype(segment))
        return super()._first(role, segment, values)

    def _step(
        self,
        piece: Piece,
        out: Array,
        base: Array,
        total: Array,
        weight: float,
        state: dict[str, Array],
    ) -> Finish:
        if piece.segment.kind is not TensorKind.AVERAGE:
            return super()._step(piece, out, base, total, weight, state)
        first, second = (state_key(f"{which}_moment", piece.segment) for which in ("first", "second"))
        now = state[first][piece.block], state[second][piece.block]
        before = self._state[first][piece.block], self._state[second][piece.block]
        return self._scaled(out, now, base, before, total, weight)

    @abstractmethod
    def _scaled(
        self, out: Array, now: Moments, base: Array, before: Moments, total: Array, weight: float
    ) -> Finish:
        """One step, by a kernel; what is kept is written to `now`."""


class FedAdagrad(AdaptiveStrategy):
    """Federated Adagrad: steps become shorter where updates were large, and stay so.

    Args:
        server_learning_rate: About the longest step of a parameter in a round, in its units.
        server_momentum: beta1, from 0 to below 1; the paper's experiments have 0.
        tau: Greater than 0; the smaller, the more each parameter is scaled for itself.
        accumulator: As in `FedAvg`.
    """

    def _scaled(
        self, out: Array, now: Moments, base: Array, before: Moments, total: Array, weight: float
    ) -> Finish:
        rate, momentum = self.server_learning_rate, self.server_momentum
        return finish_adaptive(out, *now, base, *before, total, weight, rate, momentum, self.tau, 1.0, 1.0)


class DecayingStrategy(AdaptiveStrategy):
    """An adaptive one that forgets what updates were long ago.

    Args:
        server_learning_rate: As in `AdaptiveStrategy`.
        server_momentum: As there.
        beta2: From 0 to below 1: what of v stays each round.
        tau: As there.
        accumulator: As there.
    """

    def __init__(
        self,
        *,
        server_learning_rate: float = 0.01,
        server_momentum: float = 0.9,
        beta2: float = 0.99,
        tau: float = 1e-3,
        accumulator: str = "exact",
    ) -> None:
        super().__init__(
            server_learning_rate=server_learning_rate,
            server_momentum=server_momentum,
            tau=tau,
            accumulator=accumulator,
        )
        if not 0 <= beta2 < 1:
            raise ConfigError(f"option beta2 is {beta2}, expected a number from 0 to below 1")
        self.beta2 = beta2


class FedAdam(DecayingStrategy):
    """Federated Adam: steps are scaled by the mean square of recent updates.

    Args:
        server_learning_rate: About the longest step of a parameter in a round, in its units.
        server_momentum: beta1, from 0 to below 1.
        beta2: From 0 to below 1: what of the mean square stays each round.
        tau: Greater than 0; the smaller, the more each parameter is scaled for itself.
        accumulator: As in `FedAvg`.
    """

    def _scaled(
        self, out: Array, now: Moments, base: Array, before: Moments, total: Array, weight: float
    ) -> Finish:
        rate, momentum, beta2 = self.server_learning_rate, self.server_momentum, self.beta2
        return finish_adaptive(
            out, *now, base, *before, total, weight, rate, momentum, self.tau, beta2, 1 - beta2
        )


class FedYogi(DecayingStrategy):
    """Federated Yogi: as FedAdam, but its scale moves by no more than a square at a time.

    Args:
        server_learning_rate: About the longest step of a parameter in a round, in its units.
        server_momentum: beta1, from 0 to below 1.
        beta2: From 0 to below 1: 1 - beta2 of an update's square moves the scale.
        tau: Greater than 0; the smaller, the more each parameter is scaled for itself.
        accumulator: As in `FedAvg`.
    """

    def _scaled(
        self, out: Array, now: Moments, base: Array, before: Moments, total: Array, weight: float
    ) -> Finish:
        rate, momentum, beta2 = self.server_learning_rate, self.server_momentum, self.beta2
        return finish_yogi(out, *now, base, *before, total, weight, rate, momentum, self.tau, 1 - beta2)
