"""Which examples make up each batch of a round."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np
from numpy.typing import NDArray


def shuffled_batches(
    examples: int, batch_size: int, count: int, random: np.random.Generator
) -> Iterator[NDArray[np.int64]]:
    """Yield `count` batches of indices below `examples`, shuffle after shuffle.

    Every shuffle is used up before the next one is drawn, so that no example is seen twice before all are
    seen once; its last batch may be smaller. `examples` is at least 1.
    """
    return islice(_endless(examples, batch_size, random), count)


def _endless(examples: int, batch_size: int, random: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    while True:
        order = random.permutation(examples)
        for start in range(0, examples, batch_size):
            yield order[start : start + batch_size]
