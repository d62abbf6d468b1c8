"""Server optimisers: the mean update is a pseudo-gradient, the new model one step along it."""

from __future__ import annotations

from zfed.errors import ConfigError
from zfed.params import Segment, TensorKind
from zfed.strategies.mean import FedAvg, Piece, state_key
from zfed.strategies.pieces import Array
from zfed_kernels import Finish, finish_momentum


class FedAvgM(FedAvg):
    """Federated averaging with momentum at the server.

    With the mean update d: v <- momentum * v + d, x <- x + server_learning_rate * v (Hsu et al., "Measuring
    the Effects of Non-Identical Data Distribution for Federated Visual Classification", arXiv 1909.06335,
    section 4.2; the family is Reddi et al., arXiv 2003.00295). Running statistics and counters are not
    parameters to be optimised: they are averaged, or the maximum is taken, as in `FedAvg`.

    Args:
        server_learning_rate: Greater than 0. A steady mean update moves the model by
            server_learning_rate / (1 - server_momentum) of itself each round.
        server_momentum: From 0, which is `FedAvg`, to below 1.
        accumulator: As in `FedAvg`.
    """

    def __init__(
        self, *, server_learning_rate: float = 1.0, server_momentum: float = 0.9, accumulator: str = "exact"
    ) -> None:
        super().__init__(server_learning_rate=server_learning_rate, accumulator=accumulator)
        if not 0 <= server_momentum < 1:
            raise ConfigError(f"server momentum is {server_momentum}, expected a number from 0 to below 1")
        self.server_momentum = server_momentum

    def _roles(self, segment: Segment) -> tuple[str, ...]:
        return (*super()._roles(segment), *(("velocity",) if segment.kind is TensorKind.AVERAGE else ()))

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
        key = state_key("velocity", piece.segment)
        last_velocity, velocity = self._state[key][piece.block], state[key][piece.block]
        rate, momentum = self.server_learning_rate, self.server_momentum
        return finish_momentum(out, velocity, base, last_velocity, total, weight, rate, momentum)
