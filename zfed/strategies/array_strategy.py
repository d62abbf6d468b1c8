"""The strategy to derive one's own from: named arrays of all updates in, named arrays out."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter

import numpy as np
from numpy.typing import ArrayLike

from zfed.errors import RunFailedError
from zfed.params import ParameterLayout, Segment, TensorKind, TensorSpec
from zfed.strategies.base import AddTo
from zfed.strategies.combined import Combined
from zfed.strategies.contribution import Contribution, Needs
from zfed.strategies.mean import FedAvg
from zfed.strategies.pieces import Array, Buffer
from zfed.strategies.robust.kept_updates import KeptUpdates
from zfed.strategies.robust.rows import CombineBlock, Row


class ArrayStrategy(FedAvg):
    """Whatever a user makes of the updates of a round, as named arrays; see docs/strategies.md.

    All else is seen to: updates are checked, decoded and kept, half precision has its masters, a counter
    becomes its lower median, what `combine` returns is checked and added to the model.

    Args:
        server_learning_rate: What learned tensors move by, times what `combine` returns; running statistics
            move by just that.
    """

    needs = Needs(every_update=True)

    def __init__(self, *, server_learning_rate: float = 1.0) -> None:
        super().__init__(server_learning_rate=server_learning_rate)
        self._kept: KeptUpdates

    @abstractmethod
    def combine(self, updates: Sequence[tuple[Contribution, Mapping[str, Array]]]) -> Mapping[str, ArrayLike]:
        """What the updates come to: how far each tensor moves.

        Pure, and the same numbers for the same updates, so that a resumed run goes on as it would have.

        Args:
            updates: In the order of the workers' names, at least `needs.updates`. Each is who sent it, with
                what weight, and the difference that its training made of each tensor of floats, in float32,
                or float64 where the model is; read-only, and valid until `combine` returns.

        Returns:
            All of these tensors by name, in their shapes.
        """

    def accumulate(self, update: Contribution, chunks: Iterable[tuple[int, Buffer]]) -> None:
        """Keep one update."""
        self._kept.add(update, chunks)
        self._take(update)

    def hold(self, update: Contribution, chunks: Iterable[tuple[int, Buffer]]) -> None:
        """Keep one update; its slices may change at once, as they are copied."""
        self.accumulate(update, chunks)

    def accumulate_encoded(self, update: Contribution, add: AddTo) -> None:
        """Keep one update in decoded form."""
        self._kept.add_encoded(update, add)
        self._take(update)

    def _gather(self, layout: ParameterLayout) -> Combined:
        self._kept = KeptUpdates(layout, self._combined_rows, self.needs.updates)
        return self._kept

    def _gathered_memory(self, layout: ParameterLayout, updates: int) -> int:
        """What `combine` returns counts; what else it takes while it computes does not."""
        floats = sum(segment.size for segment in layout.segments if segment.kind is not TensorKind.COUNTER)
        return KeptUpdates.memory(layout, updates) + floats * np.dtype(np.float64).itemsize

    def _combined_rows(self, rows: Sequence[Row]) -> CombineBlock:
        layout = self._kept.layout
        tensors = {each.name: each for each in layout.tensors if each.kind is not TensorKind.COUNTER}
        senders = sorted(self._taken, key=attrgetter("node"))
        moved = self.combine(
            [
                (sender, {name: _read_only(_part(row, tensor)) for name, tensor in tensors.items()})
                for sender, row in zip(senders, rows, strict=True)
            ]
        )
        self._check_names(moved, tensors)
        whole = {segment: np.empty(segment.size) for segment in layout.segments}
        for name, tensor in tensors.items():
            _part(whole, tensor)[...] = self._checked(tensor, moved[name])
        return lambda segment, block: whole[segment][block]

    def _check_names(self, moved: object, tensors: Mapping[str, TensorSpec]) -> None:
        if not isinstance(moved, Mapping):
            raise RunFailedError(
                f"combine returned {type(moved).__name__}, expected a mapping of tensors' names to arrays"
            )
        for name in tensors:
            if name not in moved:
                raise RunFailedError(f"combine returned no tensor {name!r}, expected all that hold floats")
        for name in moved:
            if name not in tensors:
                raise RunFailedError(f"combine returned tensor {name!r}, which is none of the model's floats")

    def _checked(self, tensor: TensorSpec, value: ArrayLike) -> Array:
        array = np.asarray(value)
        if array.shape != tensor.shape:
            raise RunFailedError(
                f"combine returned tensor {tensor.name!r} of shape {array.shape}, expected {tensor.shape}"
            )
        return array


def _part(arrays: Mapping[Segment, Array], tensor: TensorSpec) -> Array:
    """A tensor's elements among those of the segments, in its shape; a view."""
    for segment, array in arrays.items():
        if segment.start <= tensor.offset < segment.stop:
            first = (tensor.offset - segment.start) // tensor.numpy_dtype.itemsize
            return array[first : first + tensor.size].reshape(tensor.shape)
    return np.empty(tensor.shape)  # one without elements may lie behind all segments


def _read_only(view: Array) -> Array:
    view.flags.writeable = False
    return view
