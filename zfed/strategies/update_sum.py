"""The updates of one round, summed: what every strategy that averages works on."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any, Final

import numpy as np

from zfed.errors import LayoutError, RunFailedError
from zfed.params import ParameterLayout, Segment, TensorKind
from zfed.params.dtypes import NUMPY_DTYPES
from zfed.strategies.accumulator import Accumulator
from zfed.strategies.base import AddTo
from zfed.strategies.combined import Combined, counts
from zfed.strategies.coverage import Coverage
from zfed.strategies.held_update import HeldUpdate
from zfed.strategies.pieces import Array, Buffer, least, pieces

BLOCK: Final = 2**16
"""Elements summed and finished at a time: with all that belongs to them they fit into a core's cache."""


class UpdateSum(Combined):
    """Weighted sum of float tensors and maximum of counters; if exact, the same bytes in any order.

    Pure and owned by one strategy. An update is summed as it comes (`add`), or held and summed at the end
    (`hold`); a round in which all are held needs no memory for a sum.

    Args:
        layout: Of the moving tensors.
        accumulator: How floats are summed.
    """

    def __init__(self, layout: ParameterLayout, accumulator: Accumulator) -> None:
        self.layout = layout
        self._accumulator = accumulator
        self._totals: dict[Segment, Array] = {}
        self._held: list[HeldUpdate] = []
        self._shares: list[float] = []
        self._grid = 0.0
        self._open = False
        self._summed = False

    @staticmethod
    def memory(layout: ParameterLayout, accumulator: Accumulator) -> int:
        """Bytes needed for such a layout."""
        return sum(each.size * _total_dtype(each, accumulator).itemsize for each in layout.segments)

    def open(self, grid: float) -> None:
        """Forget everything and sum on a new grid."""
        self._held.clear()
        self._shares.clear()
        self._grid = grid
        self._open = True
        self._summed = False

    def add(self, chunks: Iterable[tuple[int, Buffer]], weight: float, share: float | None = None) -> None:
        """Add one update, given as slices of its vector in any order. One of weight 0 adds nothing.

        Args:
            chunks: Its slices.
            weight: What its values are multiplied by.
            share: What it adds to that by which the sum is to be divided; by default its weight.

        Raises:
            UpdateError: If the weight is negative or not finite; nothing is added.
            LayoutError: If the slices do not cover the vector, each byte once. The sum is spoilt then, as it
                is if `chunks` raises: it must be opened again.
        """
        if not self._wanted(weight):
            return
        self._open = False
        fresh = not self._summed
        if fresh:
            self._begin_sum()
            self._summed = True
        coverage = Coverage(self.layout.nbytes)
        for offset, data in chunks:
            coverage.add(offset, memoryview(data).nbytes)
            for segment, first, values in pieces(self.layout, offset, data):
                total = self._totals[segment][first : first + values.size]
                if segment.kind is TensorKind.COUNTER:
                    np.maximum(total, values, out=total)
                else:
                    self._accumulator.add(total, [values], [weight], self._grid, fresh)
        if fault := coverage.fault():
            raise LayoutError(f"update does not cover its layout: {fault}")
        self._shares.append(weight if share is None else share)
        self._open = True

    def add_encoded(self, add: AddTo, weight: float, share: float | None = None) -> None:
        """Add one update that can add itself to the sums of segments. One of weight 0 adds nothing.

        Raises:
            UpdateError: As `add`.
        """
        if not self._wanted(weight):
            return
        self._open = False
        if not self._summed:
            self._begin_sum()
            for segment, total in self._totals.items():
                if segment.kind is not TensorKind.COUNTER:
                    total.fill(0)
            self._summed = True
        add(self._totals.__getitem__, weight, self._grid if self._accumulator.exact else None)
        self._shares.append(weight if share is None else share)
        self._open = True

    def hold(self, chunks: Iterable[tuple[int, Buffer]], weight: float, share: float | None = None) -> None:
        """Add one update at the end of the round; until then its slices stay where they are.

        Raises:
            UpdateError: As `add`.
            LayoutError: As `add`.
        """
        if not self._wanted(weight):
            return
        self._open = False
        self._held.append(HeldUpdate(self.layout, chunks, weight))
        self._shares.append(weight if share is None else share)
        self._open = True

    def close(self) -> float:
        """End the round; the sum of all shares, the same in any order.

        Raises:
            RunFailedError: If it is 0: there is no mean of nothing.
        """
        if not self._open:
            raise ValueError("no round is open, or an update was added in part")
        self._open = False
        if not self._shares:
            raise RunFailedError("no update of this round has a weight above 0, so there is no mean")
        return math.fsum(self._shares)

    def blocks(self, segment: Segment) -> Iterator[tuple[slice, Array]]:
        """Yield (elements, their sum) of a closed round, a block at a time; counters have their maximum.

        A sum is for the strategy to use up before it takes the next one. Once in a round.
        """
        space = None if self._summed else np.empty(min(BLOCK, segment.size), self._dtype(segment))
        weights = [held.weight for held in self._held]
        first = 0
        while first < segment.size:
            # A block ends where a slice of any update ends, so that each is one array in it
            stop = min(first + BLOCK, segment.size, *(held.border(segment) for held in self._held))
            total = self._totals[segment][first:stop] if space is None else space[: stop - first]
            updates = [held.take(segment, stop) for held in self._held]
            if segment.kind is TensorKind.COUNTER:
                if space is not None:
                    total.fill(least(segment))
                for values in updates:
                    np.maximum(total, values, out=total)
            else:
                self._accumulator.add(total, updates, weights, self._grid, space is not None)
            yield slice(first, stop), total
            first = stop

    def release(self) -> None:
        """Let go of the held updates."""
        self._held.clear()

    def _wanted(self, weight: float) -> bool:
        if not self._open:
            raise ValueError("no round is open")
        return counts(weight)

    def _dtype(self, segment: Segment) -> np.dtype[Any]:
        return _total_dtype(segment, self._accumulator)

    def _begin_sum(self) -> None:
        """Counters start from their least value; sums need no zeros: the first update is stored."""
        if not self._totals:
            self._totals = {each: np.empty(each.size, self._dtype(each)) for each in self.layout.segments}
        for segment, total in self._totals.items():
            if segment.kind is TensorKind.COUNTER:
                total.fill(least(segment))


def _total_dtype(segment: Segment, accumulator: Accumulator) -> np.dtype[Any]:
    dtypes = NUMPY_DTYPES if segment.kind is TensorKind.COUNTER else accumulator.dtypes
    return dtypes[segment.dtype]
