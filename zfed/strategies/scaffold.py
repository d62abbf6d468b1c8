"""SCAFFOLD: each step of a worker is corrected by how its data differ from everybody's.

Karimireddy et al., "SCAFFOLD: Stochastic Controlled Averaging for Federated Learning", arXiv 1910.06378,
algorithm 1 with option II. The worker's part is `zfed.control_variates`.

With option II a worker's control variate changes by (equation 4)

    Delta c_i = -c + (x - y_i) / (K_i eta_i) = -c - delta_i / (K_i eta_i),

which the coordinator knows once it has delta_i and the number K_i eta_i. So nothing but the update travels
up: half of what the algorithm sends as it is printed. With the weights w_i of FedAvg, W of all N workers
together and W_S of those of a round, equation 5 becomes

    c <- c + (W_S / W) * (weighted mean of Delta c_i) = ((W - W_S) c - sum of w_i delta_i / (K_i eta_i)) / W,

the paper's |S| / N where all weigh the same. It keeps c = (sum of w_i c_i) / W, so that the optimum of the
weighted objective is a fixed point; it is none if c is the plain mean and the weights differ.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import numpy as np

from zfed.control_variates import CONTROL, STEP_SUM
from zfed.errors import ConfigError, UpdateError
from zfed.params import ParameterBuffer, ParameterLayout, Segment, TensorKind
from zfed.strategies.base import AddTo, Done
from zfed.strategies.contribution import Contribution, Needs
from zfed.strategies.known_workers import NAMES, SHARES, KnownWorkers
from zfed.strategies.mean import FedAvg, Piece, state_key
from zfed.strategies.pieces import Array, Buffer
from zfed.strategies.update_sum import UpdateSum
from zfed_kernels import Finish, scan

LEAST_STEP_SUM: Final = 2.0**-16
"""Smallest K * eta: the second sum is exact on a grid that is coarser by this factor. It costs no precision
that float32 has: of the 51 bits of a term 16 go here, 10 to the value range's headroom."""

Sums = Iterator[tuple[slice, Array]]


class Scaffold(FedAvg):
    """Federated averaging whose workers do not drift apart; only plain SGD can be corrected so.

    Args:
        workers: N, how many workers the run has, also those that a round does not ask. 0: those whose updates
            have counted so far, which is the paper's N if rounds ask everybody; else a worker that comes for
            the first time is corrected by as much as if all others were known, which the paper does gently.
        server_learning_rate: The paper's global step size, greater than 0.
        accumulator: As in `FedAvg`.
    """

    def __init__(
        self, *, workers: int = 0, server_learning_rate: float = 1.0, accumulator: str = "exact"
    ) -> None:
        super().__init__(server_learning_rate=server_learning_rate, accumulator=accumulator)
        if workers < 0:
            raise ConfigError(f"scaffold: workers is {workers}, expected 0 or how many the run has")
        self.workers = workers
        self.needs = Needs(
            strategy="scaffold",
            factor=_usable,
            sends=(CONTROL,),
            metrics=(STEP_SUM,),
            fresh=True,
            exact=True,  # else what a worker knows of its c_i and what is known here would drift apart
        )
        self._known = KnownWorkers()
        self._round: dict[str, float] = {}
        self._gradients: UpdateSum  # of w_i delta_i / (K_i eta_i)
        self._gradient_blocks: dict[Segment, Sums] = {}

    def start(self, model: ParameterBuffer) -> None:
        """Begin from a model, with control variates of zero."""
        super().start(model)
        self._gradients = UpdateSum(model.layout.moving, self._accumulator)
        self._known = KnownWorkers()

    def open_round(self, grid: float) -> None:
        """Begin a round."""
        super().open_round(grid)
        self._gradients.open(grid / LEAST_STEP_SUM)
        self._round = {}

    def accumulate(self, update: Contribution, chunks: Iterable[tuple[int, Buffer]]) -> None:
        """Add one update."""
        slices = _for_two(chunks)
        self._gradients.add(slices, self._gradient_weight(update))
        super().accumulate(update, slices)
        self._counts(update)

    def accumulate_encoded(self, update: Contribution, add: AddTo) -> None:
        """Add one update in encoded form."""
        self._gradients.add_encoded(add, self._gradient_weight(update))
        super().accumulate_encoded(update, add)
        self._counts(update)

    def hold(self, update: Contribution, chunks: Iterable[tuple[int, Buffer]]) -> None:
        """Add one update at the end of the round."""
        slices = _for_two(chunks)
        self._gradients.hold(slices, self._gradient_weight(update))
        super().hold(update, slices)
        self._counts(update)

    def finish_into(self, new: ParameterBuffer, model: ParameterBuffer, done: Done) -> None:
        """End the round and write the new model; the control variate is finished along with it."""
        known = self._known.joined(self._round)
        self._gradients.close()
        self._gradient_blocks = {each: self._gradients.blocks(each) for each in self._sum.layout.segments}
        super().finish_into(new, model, done)
        self._gradients.release()
        self._known = known

    @property
    def state(self) -> dict[str, Array]:
        """The control variate c and float32 masters, as of each segment; and which workers are known."""
        return {**super().state, **self._known.state}

    @property
    def vectors(self) -> dict[str, ParameterBuffer]:
        """The control variate c of the learned tensors, in float32, of float64 ones in float64."""
        layout = self._sum.layout
        flat = [
            self._state[state_key(CONTROL, segment)].view(np.uint8)
            for segment in layout.segments
            if segment.kind is TensorKind.AVERAGE
        ]
        data = flat[0] if len(flat) == 1 else np.concatenate([np.empty(0, np.uint8), *flat])
        return {CONTROL: ParameterBuffer(_control_layout(layout), data)}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Take up a saved state."""
        super().restore({name: array for name, array in state.items() if name not in (NAMES, SHARES)})
        self._known = KnownWorkers.restored(state)

    def memory(self, layout: ParameterLayout, updates: int) -> int:
        """Peak bytes for a model of this layout, however many updates there are."""
        control = _control_layout(layout.moving)
        one_piece = sum(each.kind is TensorKind.AVERAGE for each in layout.moving.segments) == 1
        served = 0 if one_piece else control.nbytes  # if it is, the state's own bytes are served
        return super().memory(layout, updates) + UpdateSum.memory(layout.moving, self._accumulator) + served

    def _roles(self, segment: Segment) -> tuple[str, ...]:
        return (*super()._roles(segment), *((CONTROL,) if segment.kind is TensorKind.AVERAGE else ()))

    def _gradient_weight(self, update: Contribution) -> float:
        return update.weight / _step_sum(update)

    def _counts(self, update: Contribution) -> None:
        if update.weight:
            self._round[update.node] = update.weight

    def _step(
        self,
        piece: Piece,
        out: Array,
        base: Array,
        total: Array,
        weight: float,
        state: dict[str, Array],
    ) -> Finish:
        found = super()._step(piece, out, base, total, weight, state)
        if piece.segment.kind is TensorKind.AVERAGE and found.first_bad_mean < 0:
            # Both sums have the same updates in the same slices, so that their blocks are the same, too
            _, gradients = next(self._gradient_blocks[piece.segment])
            key = state_key(CONTROL, piece.segment)
            self._finish_control(piece, self._state[key][piece.block], gradients, weight, state[key])
        return found

    def _finish_control(
        self, piece: Piece, control: Array, gradients: Array, weight: float, out: Array
    ) -> None:
        """Equation 5 for one piece, in float64; `weight` is W_S, of all updates of the round."""
        before = self._known.whole(self.workers)
        whole = self._known.joined(self._round).whole(self.workers)
        new = out[piece.block]
        with np.errstate(over="ignore"):  # found below
            new[:] = control.astype(np.float64) * ((before - weight) / whole) - gradients / whole
        self._refuse(piece, scan(new).first_bad, "the control variate would hold")


def _usable(update: Contribution) -> float:
    """Every update counts once, if its Delta c_i can be known."""
    step_sum = _step_sum(update)
    if not (math.isfinite(step_sum) and step_sum >= LEAST_STEP_SUM):
        raise UpdateError(
            f"its {STEP_SUM}, the sum of the learning rates of its steps, is {step_sum:g}; scaffold needs at "
            f"least {LEAST_STEP_SUM:g}: a larger learning_rate, or more steps",
            code="strategy",
            seen=f"{step_sum:g}",
            limit=f"{LEAST_STEP_SUM:g}",
        )
    if update.staleness:
        raise UpdateError(
            f"it started {update.staleness} versions ago; scaffold needs updates of the newest version",
            code="strategy",
            seen=update.staleness,
            limit=0,
        )
    return 1.0


def _step_sum(update: Contribution) -> float:
    value = update.metrics[STEP_SUM]
    return float(value) if isinstance(value, int | float) else math.nan


def _control_layout(moving: ParameterLayout) -> ParameterLayout:
    """Its bytes are those of the state's arrays of control variates, one after another."""
    return ParameterLayout.build(
        (tensor.name, "F64" if tensor.dtype == "F64" else "F32", tensor.shape, TensorKind.AVERAGE)
        for tensor in moving.tensors
        if tensor.kind is TensorKind.AVERAGE
    )


def _for_two(chunks: Iterable[tuple[int, Buffer]]) -> Iterable[tuple[int, Buffer]]:
    """Slices that can be gone through twice; those of an update on disk are read twice instead of kept."""
    return list(chunks) if isinstance(chunks, Iterator) else chunks
