"""Federated averaging: the new model is the old one plus the weighted mean of the updates.

McMahan et al., "Communication-Efficient Learning of Deep Networks from Decentralized Data", arXiv 1602.05629;
with a server learning rate it is FedOpt with plain SGD (Reddi et al., arXiv 2003.00295, algorithm 1).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np

from zfed.errors import CheckpointError, ConfigError, RunFailedError
from zfed.params import ParameterBuffer, ParameterLayout, Segment, TensorKind, narrowed, widened
from zfed.params.dtypes import NUMPY_DTYPES
from zfed.strategies.base import Strategy
from zfed.strategies.pieces import HALF, Array, Buffer, elements
from zfed.strategies.update_sum import UpdateSum
from zfed_kernels import Finish, finish_mean, scan

_BLOCK: Final = 2**16
"""Elements rounded to half precision at a time; bounds the temporary arrays of rounding."""


class FedAvg(Strategy):
    """Weighted mean of the updates, times a server learning rate.

    Running statistics are averaged without that rate; counters become the maximum over the updates. A tensor
    of half precision has a float32 master here, to which the mean is added: in half precision a small mean
    would round to nothing, round after round. What is published is the master, rounded.

    Args:
        server_learning_rate: Greater than 0.
    """

    def __init__(self, *, server_learning_rate: float = 1.0) -> None:
        if not (math.isfinite(server_learning_rate) and server_learning_rate > 0):
            raise ConfigError(f"server learning rate is {server_learning_rate}, expected a number above 0")
        self.server_learning_rate = server_learning_rate
        self._state: dict[str, Array] = {}
        self._sum: UpdateSum

    def start(self, model: ParameterBuffer) -> None:
        """Begin from a model."""
        self._sum = UpdateSum(model.layout.moving)
        kept = {
            state_key(role, segment): _first_value(role, segment, elements(model, segment))
            for segment in self._sum.layout.segments
            for role in self._roles(segment)
        }
        self._state = _immutable(kept)

    def open_round(self, grid: float) -> None:
        """Begin a round."""
        self._sum.open(grid)

    def accumulate(self, chunks: Iterable[tuple[int, Buffer]], weight: float) -> None:
        """Add one update."""
        self._sum.add(chunks, weight)

    def finish(self, model: ParameterBuffer) -> ParameterBuffer:
        """End the round with a new model."""
        weight = self._sum.close()
        new = _successor(model)
        state: dict[str, Array] = {}
        largest = 0.0
        for segment in self._sum.layout.segments:
            total, published = self._sum.total(segment), elements(new, segment)
            if segment.kind is TensorKind.COUNTER:
                published[:] = total
                continue
            if segment.dtype in HALF:
                base = self._state[state_key("master", segment)]
                out = state[state_key("master", segment)] = np.empty_like(base)
            else:
                base, out = elements(model, segment), published
            kept, found = self._step(segment, out, base, total, weight)
            state |= kept
            first_bad = found.first_bad
            if segment.dtype in HALF:
                _publish(published, out, segment.dtype)
                first_bad = scan(published).first_bad  # a finite master may be too large for half precision
            self._refuse(segment, found.first_bad_mean, "the mean update holds")
            self._refuse(segment, first_bad, "the new model would hold")
            largest = max(largest, found.largest)
        self._state = _immutable(state)
        self.largest_delta = float(largest)  # plain, as it goes into the journal
        return new

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

    def memory(self, layout: ParameterLayout) -> int:
        """Peak bytes for a model of this layout."""
        kept = sum(
            len(self._roles(segment)) * segment.size * _compute_dtype(segment).itemsize
            for segment in layout.moving.segments
        )
        return UpdateSum.memory(layout.moving) + 2 * kept + layout.nbytes

    def _roles(self, segment: Segment) -> tuple[str, ...]:
        """The arrays kept for a segment from round to round, each of its size."""
        return ("master",) if segment.dtype in HALF else ()

    def _step(
        self, segment: Segment, out: Array, base: Array, total: Array, weight: float
    ) -> tuple[dict[str, Array], Finish]:
        """Write the new numbers of a segment to `out`; returns what is kept of it, and what was found."""
        rate = self.server_learning_rate if segment.kind is TensorKind.AVERAGE else 1.0
        return {}, finish_mean(out, base, total, weight, rate)

    def _refuse(self, segment: Segment, first_bad: int, holder: str) -> None:
        """Raise if the index of the first number that is not finite is one, and not -1.

        Raises:
            RunFailedError: Says which tensor it is in.
        """
        if first_bad >= 0:
            width = NUMPY_DTYPES[segment.dtype].itemsize
            tensor = self._sum.layout.tensor_at(segment.start + first_bad * width)
            raise RunFailedError(
                f"tensor {tensor.name!r}: {holder} a number that is not finite in {segment.dtype}; the last "
                "version is kept. Lower --server-learning-rate or --value-range"
            )


def _successor(model: ParameterBuffer) -> ParameterBuffer:
    """A new buffer with the tensors that no round changes; the moving ones are still to be written."""
    new = ParameterBuffer.zeros(model.layout)
    new.frozen.data[:] = model.frozen.data
    new.local.data[:] = model.local.data
    return new


def state_key(role: str, segment: Segment) -> str:
    """Name of what is kept for a segment under a role."""
    return f"{role}.{segment.dtype}.{segment.kind.value}"


def _compute_dtype(segment: Segment) -> np.dtype[Any]:
    return np.dtype(np.float64 if segment.dtype == "F64" else np.float32)


def _first_value(role: str, segment: Segment, values: Array) -> Array:
    return (
        widened(values, segment.dtype)
        if role == "master"
        else np.zeros(segment.size, _compute_dtype(segment))
    )


def _immutable(arrays: dict[str, Array]) -> dict[str, Array]:
    for array in arrays.values():
        array.flags.writeable = False
    return arrays


def _publish(published: Array, master: Array, dtype: str) -> None:
    for start in range(0, master.size, _BLOCK):
        block = slice(start, start + _BLOCK)
        published[block] = narrowed(master[block], dtype)
