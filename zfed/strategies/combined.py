"""What the updates of a round come to, whichever rule combines them."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator

from zfed.errors import UpdateError
from zfed.params import ParameterLayout, Segment
from zfed.strategies.pieces import Array


class Combined(ABC):
    """Takes in the updates of a round and gives one vector of them, a block at a time.

    Attributes:
        layout: Of the moving tensors.
    """

    layout: ParameterLayout

    @abstractmethod
    def open(self, grid: float) -> None:
        """Forget everything and begin a round; `grid` is the step of sums that are exact."""

    @abstractmethod
    def close(self) -> float:
        """End the round; what the blocks are to be divided by, above 0.

        Raises:
            RunFailedError: If too few updates count.
        """

    @abstractmethod
    def blocks(self, segment: Segment) -> Iterator[tuple[slice, Array]]:
        """Yield (elements, what the updates come to there) of a closed round, in order. Once in a round.

        Each array is for the strategy to use up before it takes the next one.
        """

    @abstractmethod
    def release(self) -> None:
        """Let go of the updates."""


def counts(weight: float) -> bool:
    """Whether an update of this weight counts at all.

    Raises:
        UpdateError: If it is no weight.
    """
    if not (math.isfinite(weight) and weight >= 0):
        raise UpdateError(f"weight is {weight}, expected a finite number from 0 on", code="weight")
    return weight > 0
