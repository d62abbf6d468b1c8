"""A user's own strategy, held to what every strategy promises."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Final, TypeVar

import numpy as np

from zfed.errors import RunFailedError, ZfedError
from zfed.params import ParameterBuffer, ParameterLayout, TensorKind
from zfed.params.dtypes import NUMPY_DTYPES
from zfed.strategies.base import AddTo, Done, Strategy
from zfed.strategies.contribution import Contribution, Needs
from zfed.strategies.pieces import Array, Buffer, elements
from zfed_kernels import scan

T = TypeVar("T")

_UNWRITTEN: Final = 0xFF
"""Each byte of a new model before it is made: a float that is not written is NaN, in every dtype."""


class GuardedStrategy(Strategy):
    """Passes all calls on, and lets no broken promise become a version.

    What it raises that is no error of zfed's ends the run with a sentence that names it. Each new model is
    looked at before anybody hears of it: a number that is not finite, or was not written, is no model.

    Args:
        strategy: The user's.
        name: As the configuration has it.
    """

    def __init__(self, strategy: Strategy, name: str) -> None:
        self._strategy = strategy
        self._name = name
        needs, nameless = strategy.needs, Needs().strategy
        self.needs = replace(needs, strategy=name) if needs.strategy == nameless else needs

    def start(self, model: ParameterBuffer) -> None:
        """Begin from a model."""
        self._guarded("start", lambda: self._strategy.start(model.read_only()))

    def open_round(self, grid: float) -> None:
        """Begin a round."""
        self._guarded("open_round", lambda: self._strategy.open_round(grid))

    def accumulate(self, update: Contribution, chunks: Iterable[tuple[int, Buffer]]) -> None:
        """Add one update."""
        self._guarded("accumulate", lambda: self._strategy.accumulate(update, chunks))

    def hold(self, update: Contribution, chunks: Iterable[tuple[int, Buffer]]) -> None:
        """Add one update at the end of the round."""
        self._guarded("hold", lambda: self._strategy.hold(update, chunks))

    def accumulate_encoded(self, update: Contribution, add: AddTo) -> None:
        """Add one update in encoded form."""
        self._guarded("accumulate_encoded", lambda: self._strategy.accumulate_encoded(update, add))

    def accumulate_root(self, update: Contribution, chunks: Iterable[tuple[int, Buffer]]) -> None:
        """Take the update of an evaluator."""
        self._guarded("accumulate_root", lambda: self._strategy.accumulate_root(update, chunks))

    def finish_into(self, new: ParameterBuffer, model: ParameterBuffer, done: Done) -> None:
        """End the round and write the new model, which is told as final only once it was looked at."""
        new.data.fill(_UNWRITTEN)
        self._guarded(
            "finish_into",
            lambda: self._strategy.finish_into(new, model.read_only(), lambda start, stop: None),
        )
        self._look_at(new)
        new.frozen.data[:] = model.frozen.data
        new.local.data[:] = model.local.data
        self.largest_delta = float(self._strategy.largest_delta)
        done(0, new.layout.moving.nbytes)

    @property
    def state(self) -> dict[str, Array]:
        """What the strategy keeps."""
        return self._guarded("state", lambda: self._strategy.state)

    @property
    def vectors(self) -> dict[str, ParameterBuffer]:
        """What the strategy sends to the workers."""
        return self._guarded("vectors", lambda: self._strategy.vectors)

    def restore(self, state: Mapping[str, Array]) -> None:
        """Take up a saved state."""
        self._guarded("restore", lambda: self._strategy.restore(state))

    def memory(self, layout: ParameterLayout, updates: int) -> int:
        """Bytes that it says it needs."""
        return self._guarded("memory", lambda: self._strategy.memory(layout, updates))

    def _guarded(self, method: str, call: Callable[[], T]) -> T:
        try:
            return call()
        except RunFailedError as error:
            raise RunFailedError(f"strategy {self._name}: {error}") from error
        except ZfedError:
            raise
        except Exception as error:  # a user's code may raise anything, and is what has to be named then
            raise RunFailedError(
                f"strategy {self._name}: {method} failed: {type(error).__name__}: {error}; the last version "
                "is kept"
            ) from error

    def _look_at(self, new: ParameterBuffer) -> None:
        for segment in new.layout.moving.segments:
            if segment.kind is TensorKind.COUNTER:
                continue
            first_bad = scan(elements(new, segment)).first_bad
            if first_bad >= 0:
                width = np.dtype(NUMPY_DTYPES[segment.dtype]).itemsize
                tensor = new.layout.moving.tensor_at(segment.start + first_bad * width)
                raise RunFailedError(
                    f"strategy {self._name}: tensor {tensor.name!r} of the new model holds a number that is "
                    "not finite, or was not written; the last version is kept"
                )
