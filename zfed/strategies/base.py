"""What every strategy is: updates in, a new model out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

from zfed.params import ParameterBuffer, ParameterLayout, Segment
from zfed.strategies.contribution import Contribution, Needs
from zfed.strategies.pieces import Array, Buffer

Done: TypeAlias = Callable[[int, int], None]
"""Is told that the bytes from the first number to before the second are as they will stay."""


AddTo: TypeAlias = Callable[[Callable[[Segment], Array], float, "float | None"], None]
"""Adds one update to the sum of each segment, given its weight and what to round terms to a multiple of."""


class Strategy(ABC):
    """Makes model versions out of updates.

    Pure and owned by one engine: no clock, no I/O, no locks. The order of calls is `start` once, `restore`
    if a run goes on, then for each round `open_round`, `accumulate` or `hold` per update, `finish`. A round
    may be opened again at any time, which forgets its updates; if one of these raises, what is kept from
    round to round is untouched, and so is the model.

    Attributes:
        needs: What the rest of zfed must see to; set once, when the strategy is made.
        largest_delta: Largest |mean delta| of the last `finish`, before any server optimiser.
    """

    needs: Needs = Needs()
    largest_delta: float = 0.0

    @abstractmethod
    def start(self, model: ParameterBuffer) -> None:
        """Begin from a first model, or from the one that a state to `restore` belongs to."""

    @abstractmethod
    def open_round(self, grid: float) -> None:
        """Begin a round with an empty accumulator of step `grid`, see `zfed.strategies.grid`."""

    @abstractmethod
    def accumulate(self, update: Contribution, chunks: Iterable[tuple[int, Buffer]]) -> None:
        """Add one update that an `UpdateInspector` found good.

        Args:
            update: As `Needs.weighed` gave it. One of weight 0 changes nothing.
            chunks: (byte offset, bytes) slices of the vector of its moving tensors, in any order; borders are
                multiples of 8 bytes.

        Raises:
            UpdateError: If the weight is negative or not finite; nothing is added.
            LayoutError: If the slices do not cover the vector. The round must be opened again.
        """

    @abstractmethod
    def hold(self, update: Contribution, chunks: Iterable[tuple[int, Buffer]]) -> None:
        """As `accumulate`, with the same bits in the end, but the slices are summed only by `finish`.

        All held updates are then summed and finished a block at a time, while the block is in the cache.
        Until then the slices must not change.
        """

    @abstractmethod
    def accumulate_encoded(self, update: Contribution, add: AddTo) -> None:
        """As `accumulate`, with the same bits if the sum is exact, for an update that is not decoded first.

        Args:
            update: As there.
            add: As `zfed.compression.Encoding.accumulate` does; covers the whole vector.

        Raises:
            UpdateError: As `accumulate`.
        """

    def accumulate_root(self, update: Contribution, chunks: Iterable[tuple[int, Buffer]]) -> None:
        """Take the update that an evaluator made of data of its own, which `needs.root` asks for.

        It is no worker's and never part of a mean. Arguments and errors are those of `accumulate`.
        """
        raise ValueError(f"{self.needs.strategy} needs no update of an evaluator")

    def finish(self, model: ParameterBuffer) -> ParameterBuffer:
        """End the round with a new model; see `finish_into`."""
        new = ParameterBuffer.zeros(model.layout)
        self.finish_into(new, model, lambda start, stop: None)
        return new

    @abstractmethod
    def finish_into(self, new: ParameterBuffer, model: ParameterBuffer, done: Done) -> None:
        """End the round and write the new model.

        Args:
            new: A buffer of the model's layout; all of it is written.
            model: The version that the updates started from. It may still be on the wire: it is not changed.
            done: Is told of each stretch of the moving tensors' vector as it is final, from the first byte to
                the last, so that it can be hashed and written to a file while it is hot.

        Raises:
            RunFailedError: If no update had a weight above 0, or the new model would hold a number that is
                not finite.
        """

    @property
    @abstractmethod
    def state(self) -> dict[str, Array]:
        """What is kept from round to round, as flat arrays. They are never written to, only replaced."""

    @property
    def vectors(self) -> dict[str, ParameterBuffer]:
        """What travels to the workers beside the current model, by the names in `needs.sends`.

        A function of `state` alone. Of any layout, but without local tensors; never written to, only
        replaced.
        """
        return {}

    @abstractmethod
    def restore(self, state: Mapping[str, Array]) -> None:
        """Take up a state that was saved; `start` came before.

        Raises:
            CheckpointError: If it is no state of this strategy for this layout.
        """

    @abstractmethod
    def memory(self, layout: ParameterLayout, updates: int) -> int:
        """Peak bytes for a model of this layout: accumulator, state and, during `finish`, what replaces them.

        The new model and the `vectors` count, the model passed in does not; updates that this strategy keeps
        until `finish` count, those that `hold` leaves where they are do not. Without numba, `finish` needs up
        to twice that.

        Args:
            layout: Of the model.
            updates: Most updates of a version.
        """
