"""Which examples make up each batch of a round."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from zfed.config.train import TrainSettings
from zfed.task import Context, StoppedError


def batches_of_round(examples: int, settings: TrainSettings, context: Context) -> Iterator[NDArray[np.int64]]:
    """Yield the indices of each batch until the `[train]` table, or the node's owner, has had enough.

    At least one batch, whatever the owner's limits are: without a step there would be no update.

    Raises:
        StoppedError: If `context.should_stop()` became true between two batches.
    """
    random, count, seen = context.random(), settings.batch_count(examples), 0
    for positions in shuffled_batches(examples, settings.batch_size, count, random):
        if context.should_stop():
            raise StoppedError
        if seen and context.should_finish(seen / examples):
            return
        yield positions
        seen += positions.size


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
