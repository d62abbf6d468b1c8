"""A task whose every update says whose it is: what a fuzzed run trains."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from typing import Final

import numpy as np

from zfed.task import (
    Array,
    Context,
    DataSummary,
    EvaluateResult,
    NamedArrays,
    Setup,
    Task,
    TrainResult,
)

SIZE: Final = 6
HELD_OUT: Final = 4


def delta_of(seed: int, done: int) -> Array:
    """What a piece of work adds to the model: (SIZE,) float32, multiples of 2**-16 below 1/2 in size.

    `seed` tells worker and version, `done` how many works of this worker were committed before. Two different
    works have the same only by an accident of 96 bits.
    """
    digest = hashlib.blake2b(f"{seed}:{done}".encode(), digest_size=2 * SIZE).digest()
    return np.frombuffer(digest, "<i2").astype(np.float32) / np.float32(1 << 16)


class Tally(Task):
    """Adds to the model what its work says, and counts in its state the works that were committed.

    Args:
        examples: What it says it has; an update weighs as much.
        stateful: False: it keeps nothing from round to round.
        spoilt: Rounds in which its update is no good,
        value: for it holds this where it should hold what its work says.
    """

    def __init__(
        self, examples: int, stateful: bool, spoilt: Collection[int] = (), value: float = 0.0
    ) -> None:
        self._examples = examples
        self._stateful = stateful
        self._spoilt = spoilt
        self._value = np.float32(value)

    def prepare(self, setup: Setup) -> DataSummary:
        """As `Task.prepare`."""
        return DataSummary(examples=self._examples, held_out=HELD_OUT)

    def initial_parameters(self, context: Context) -> NamedArrays:
        """As `Task.initial_parameters`."""
        return {"w": np.zeros(SIZE, np.float32)}

    def train(self, parameters: NamedArrays, context: Context) -> TrainResult:
        """As `Task.train`; the metric `done` says what it found in its state."""
        done = 0
        if self._stateful:
            done = int(context.state.get("done", np.zeros(1, np.int64))[0])
            context.state["done"] = np.array([done + 1])
        trained = {"w": parameters["w"] + delta_of(context.seed, done)}
        if context.round in self._spoilt:
            trained["w"][0] = parameters["w"][0] + self._value
        return TrainResult(parameters=trained, examples=self._examples, steps=1, metrics={"done": done})

    def evaluate(self, parameters: NamedArrays, context: Context) -> EvaluateResult:
        """As `Task.evaluate`."""
        return EvaluateResult(examples=HELD_OUT, metrics={"total": float(parameters["w"].sum())})
