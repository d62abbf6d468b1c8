"""Task `echo`: sends back the model that it got, so that a round costs what the engine costs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zfed.config.sizes import parse_size
from zfed.errors import ConfigError
from zfed.task import Context, DataSummary, EvaluateResult, NamedArrays, Setup, Task, TrainResult

_ITEM_BYTES = 4  # float32
_LEAST_BYTES = 2 * _ITEM_BYTES


class Echo(Task):
    """No learning: a float32 vector comes back as it was; for `zfed bench`, and to try out a network.

    One number counts the rounds: a model that did not change would not be sent again.

    Args:
        size: Of the model, as 200MB or 64KiB; rounded down to whole numbers of 4 bytes.
    """

    def __init__(self, *, size: str = "1MB") -> None:
        size_bytes = parse_size(size)
        if size_bytes < _LEAST_BYTES:
            raise ConfigError(f"setting size is {size!r}, expected at least {_LEAST_BYTES} bytes")
        self.length = size_bytes // _ITEM_BYTES - 1

    def prepare(self, setup: Setup) -> DataSummary:
        """There are no data; each node weighs the same."""
        return DataSummary(examples=1)

    def initial_parameters(self, context: Context) -> dict[str, NDArray[np.float32]]:
        """Uniform from 0 to 1: zeros would take no memory until they are written."""
        weight = context.random().random(self.length, np.float32)
        return {"weight": weight, "rounds": np.zeros(1, np.float32)}

    def train(self, parameters: NamedArrays, context: Context) -> TrainResult:
        """The vector as it came, after one more round."""
        echoed = {"weight": parameters["weight"], "rounds": parameters["rounds"] + np.float32(1)}
        return TrainResult(parameters=echoed, examples=1)

    def evaluate(self, parameters: NamedArrays, context: Context) -> EvaluateResult:
        """Nothing to say: there are no data."""
        return EvaluateResult(examples=1)
