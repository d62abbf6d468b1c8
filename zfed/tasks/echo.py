"""Task `echo`: sends back the model that it got, so that a round costs what the engine costs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zfed.config.sizes import parse_size
from zfed.errors import ConfigError
from zfed.task import Context, DataSummary, EvaluateResult, NamedArrays, Setup, Task, TrainResult

_ITEM_BYTES = 4  # float32


class Echo(Task):
    """A model of one float32 vector and no learning; for `zfed bench`, and to try out a network.

    Args:
        size: Of the model, as 200MB or 64KiB; rounded down to whole numbers of 4 bytes.
    """

    def __init__(self, *, size: str = "1MB") -> None:
        self.length = parse_size(size) // _ITEM_BYTES
        if self.length < 1:
            raise ConfigError(f"setting size is {size!r}, expected at least {_ITEM_BYTES} bytes")

    def prepare(self, setup: Setup) -> DataSummary:
        """There are no data; each node weighs the same."""
        return DataSummary(examples=1)

    def initial_parameters(self, context: Context) -> dict[str, NDArray[np.float32]]:
        """Uniform from 0 to 1: zeros would take no memory until they are written."""
        return {"weight": context.random().random(self.length, np.float32)}

    def train(self, parameters: NamedArrays, context: Context) -> TrainResult:
        """The model as it came."""
        return TrainResult(parameters=parameters, examples=1)

    def evaluate(self, parameters: NamedArrays, context: Context) -> EvaluateResult:
        """Nothing to say: there are no data."""
        return EvaluateResult(examples=1)
