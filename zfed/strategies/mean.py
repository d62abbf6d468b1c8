"""Federated averaging: the new model is the old one plus the weighted mean of the updates.

McMahan et al., "Communication-Efficient Learning of Deep Networks from Decentralized Data", arXiv 1602.05629;
with a server learning rate it is FedOpt with plain SGD (Reddi et al., arXiv 2003.00295, algorithm 1).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from zfed.errors import CheckpointError, ConfigError, RunFailedError
from zfed.params import ParameterBuffer, ParameterLayout, Segment, TensorKind, narrowed, widened
from zfed.params.dtypes import NUMPY_DTYPES
from zfed.strategies.accumulator import named_accumulator
from zfed.strategies.base import AddTo, Done, Strategy
from zfed.strategies.combined import Combined
from zfed.strategies.contribution import Contribution
from zfed.strategies.pieces import HALF, Array, Buffer, elements
from zfed.strategies.update_sum import UpdateSum
from zfed_kernels import Finish, finish_mean, scan


class Piece(NamedTuple):
    """A block of a segment: where it is, its numbers in the old model, and their place in the new one."""

    segment: Segment
    block: slice
    base: Array
    published: Array


class FedAvg(Strategy):
    """Weighted mean of the updates, times a server learning rate.

    Running statistics are averaged without that rate; counters become the maximum over the updates. A tensor
    of half precision has a float32 master here, to which the mean is added: in half precision a small mean
    would round to nothing, round after round. What is published is the master, rounded.

    Args:
        server_learning_rate: Greater than 0.
        accumulator: How updates are summed, see `zfed.strategies.accumulator`.
    """

    def __init__(self, *, server_learning_rate: float = 1.0, accumulator: str = "exact") -> None:
        if not (math.isfinite(server_learning_rate) and server_learning_rate > 0):
            raise ConfigError(f"server learning rate is {server_learning_rate}, expected a number above 0")
        self.server_learning_rate = server_learning_rate
        self._accumulator = named_accumulator(accumulator)
        self._state: dict[str, Array] = {}
        self._taken: list[Contribution] = []
        self._sum: UpdateSum
        self._combined: Combined

    def start(self, model: ParameterBuffer) -> None:
        """Begin from a model."""
        self._combined = self._gather(model.layout.moving)
        kept = {
            state_key(role, segment): self._first(role, segment, elements(model, segment))
            for segment in self._combined.layout.segments
            for role in self._roles(segment)
        }
        self._state = _immutable(kept)

    def open_round(self, grid: float) -> None:
        """Begin a round."""
        self._combined.open(grid)
        self._taken = []

    def accumulate(self, update: Contribution, chunks: Iterable[tuple[int, Buffer]]) -> None:
        """Add one update."""
        self._sum.add(chunks, update.weight, update.share)
        self._take(update)

    def accumulate_encoded(self, update: Contribution, add: AddTo) -> None:
        """Add one update in encoded form."""
        self._sum.add_encoded(add, update.weight, update.share)
        self._take(update)

    def hold(self, update: Contribution, chunks: Iterable[tuple[int, Buffer]]) -> None:
        """Add one update at the end of the round."""
        self._sum.hold(chunks, update.weight, update.share)
        self._take(update)

    def finish_into(self, new: ParameterBuffer, model: ParameterBuffer, done: Done) -> None:
        """End the round and write the new model."""
        shares = self._combined.close()
        new.frozen.data[:] = model.frozen.data
        new.local.data[:] = model.local.data
        state = {name: np.empty_like(array) for name, array in self._state.items()}
        largest = 0.0
        for segment in self._combined.layout.segments:
            width = NUMPY_DTYPES[segment.dtype].itemsize
            weight = self._divisor(segment.kind, shares)
            for block, total in self._combined.blocks(segment):
                piece = Piece(segment, block, elements(model, segment)[block], elements(new, segment)[block])
                largest = max(largest, self._finish_piece(piece, total, weight, state))
                done(segment.start + block.start * width, segment.start + block.stop * width)
        self._combined.release()
        self._state = _immutable(state)
        self.largest_delta = float(largest)  # plain, as it goes into the journal

    @property
    def state(self) -> dict[str, Array]:
        """Float32 masters of the tensors of half precision."""
        return dict(self._state)

    def restore(self, state: Mapping[str, Array]) -> None:
        """Take up a saved state."""
        for name, array in self._state.items():
            saved = state.get(name)
            if saved is None or (saved.shape, saved.dtype) != (array.shape, array.dtype):
                seen = "missing" if saved is None else f"{saved.dtype} of shape {saved.shape}"
                wanted = f"{array.dtype} of shape {array.shape}"
                raise CheckpointError(f"strategy state {name!r} is {seen}, expected {wanted}")
        for name in state:
            if name not in self._state:
                raise CheckpointError(f"strategy state {name!r} belongs to another strategy or model")
        self._state = _immutable({name: state[name].copy() for name in self._state})

    def memory(self, layout: ParameterLayout, updates: int) -> int:
        """Peak bytes for a model of this layout."""
        kept = sum(
            len(self._roles(segment)) * segment.size * compute_dtype(segment).itemsize
            for segment in layout.moving.segments
        )
        return self._gathered_memory(layout.moving, updates) + 2 * kept + layout.nbytes

    def _gather(self, layout: ParameterLayout) -> Combined:
        """What takes in the updates of each round and combines them."""
        self._sum = UpdateSum(layout, self._accumulator)
        return self._sum

    def _gathered_memory(self, layout: ParameterLayout, updates: int) -> int:
        """Peak bytes of what `_gather` makes."""
        return UpdateSum.memory(layout, self._accumulator)

    def _take(self, update: Contribution) -> None:
        """An update is in the sum."""
        if update.weight:
            self._taken.append(update)

    def _divisor(self, kind: TensorKind, shares: float) -> float:
        """What the sum of tensors of this kind is divided by; `shares` is the sum of what was taken."""
        return shares

    def _roles(self, segment: Segment) -> tuple[str, ...]:
        """The arrays kept for a segment from round to round, each of its size."""
        return ("master",) if segment.dtype in HALF else ()

    def _first(self, role: str, segment: Segment, values: Array) -> Array:
        """What is kept for a segment under a role before the first round; `values` are those of the model."""
        if role == "master":
            return widened(values, segment.dtype)
        return np.zeros(segment.size, compute_dtype(segment))

    def _finish_piece(self, piece: Piece, total: Array, weight: float, state: dict[str, Array]) -> float:
        """Write the new numbers of a piece, and what is kept of it to `state`; the largest |mean|."""
        if piece.segment.kind is TensorKind.COUNTER:
            piece.published[:] = total
            return 0.0
        half = piece.segment.dtype in HALF
        if half:
            key = state_key("master", piece.segment)
            base, out = self._state[key][piece.block], state[key][piece.block]
        else:
            base, out = piece.base, piece.published
        found = self._step(piece, out, base, total, weight, state)
        first_bad = found.first_bad
        if half:
            piece.published[:] = narrowed(out, piece.segment.dtype)
        if half and first_bad < 0:
            first_bad = scan(piece.published).first_bad  # a finite master may be too large for half precision
        self._refuse(piece, found.first_bad_mean, "the mean update holds")
        self._refuse(piece, first_bad, "the new model would hold")
        return found.largest

    def _step(
        self,
        piece: Piece,
        out: Array,
        base: Array,
        total: Array,
        weight: float,
        state: dict[str, Array],
    ) -> Finish:
        """Write the new numbers of a piece to `out`, what is kept of it to `state`; what it found."""
        rate = self.server_learning_rate if piece.segment.kind is TensorKind.AVERAGE else 1.0
        return finish_mean(out, base, total, weight, rate)

    def _refuse(self, piece: Piece, first_bad: int, holder: str) -> None:
        """Raise if the index of the first number that is not finite is one, and not -1.

        Raises:
            RunFailedError: Says which tensor it is in.
        """
        if first_bad >= 0:
            segment = piece.segment
            width = NUMPY_DTYPES[segment.dtype].itemsize
            tensor = self._combined.layout.tensor_at(segment.start + (piece.block.start + first_bad) * width)
            raise RunFailedError(
                f"tensor {tensor.name!r}: {holder} a number that is not finite in {segment.dtype}; the last "
                "version is kept. Lower --server-learning-rate or --value-range"
            )


def state_key(role: str, segment: Segment) -> str:
    """Name of what is kept for a segment under a role."""
    return f"{role}.{segment.dtype}.{segment.kind.value}"


def compute_dtype(segment: Segment) -> np.dtype[Any]:
    """Of what is kept for a segment."""
    return np.dtype(np.float64 if segment.dtype == "F64" else np.float32)


def _immutable(arrays: dict[str, Array]) -> dict[str, Array]:
    for array in arrays.values():
        array.flags.writeable = False
    return arrays
