"""All updates of a round, kept until a rule combines them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from zfed.errors import LayoutError, RunFailedError
from zfed.params import ParameterLayout, Segment, TensorKind, widened
from zfed.params.dtypes import NUMPY_DTYPES
from zfed.strategies.base import AddTo
from zfed.strategies.combined import Combined, counts
from zfed.strategies.contribution import Contribution
from zfed.strategies.coverage import Coverage
from zfed.strategies.pieces import Array, Buffer, least, pieces
from zfed.strategies.robust.rows import (
    CombineBlock,
    Row,
    block_bytes,
    blocks,
    row_bytes,
    row_dtype,
    side_by_side,
)
from zfed_kernels import scan


class KeptUpdates(Combined):
    """The updates of a round as rows of one matrix, in the order of their workers' names.

    That order, not the order of arrival, is what rules go by, so a round has one result. All that count are
    alike to a rule: a weight says no more than whether it is 0. Floats become what the rule makes of them;
    a counter its lower median, a number that one of the workers sent. A row's memory is kept for the next
    round.

    Args:
        layout: Of the moving tensors.
        combine: The rule; given the rows.
        fewest: Rows without which it has no result.
    """

    def __init__(
        self, layout: ParameterLayout, combine: Callable[[Sequence[Row]], CombineBlock], fewest: int
    ) -> None:
        self.layout = layout
        self._combine = combine
        self._fewest = fewest
        self._rows: list[tuple[str, dict[Segment, Array]]] = []
        self._spare: list[dict[Segment, Array]] = []
        self._combined: CombineBlock
        self._flaw = ""
        self._open = False

    @staticmethod
    def memory(layout: ParameterLayout, updates: int) -> int:
        """Bytes needed for so many updates, and to look at a block of each at the same time."""
        return updates * (row_bytes(layout) + block_bytes(layout))

    @property
    def rows(self) -> list[Row]:
        """The updates so far, in the order of their workers' names."""
        return [row for _, row in sorted(self._rows, key=lambda kept: kept[0])]

    def open(self, grid: float) -> None:
        """Forget everything; no rule sums on a grid."""
        self.release()
        self._flaw = ""
        self._open = True

    def add(self, update: Contribution, chunks: Iterable[tuple[int, Buffer]]) -> None:
        """Copy an update; arguments and errors are those of `Strategy.accumulate`."""
        row = self._begun(update)
        if row is None:
            return
        coverage = Coverage(self.layout.nbytes)
        for offset, data in chunks:
            coverage.add(offset, memoryview(data).nbytes)
            for segment, first, values in pieces(self.layout, offset, data):
                part = row[segment][first : first + values.size]
                if segment.kind is TensorKind.COUNTER:
                    part[:] = values
                else:
                    # Plus 0: no -0.0, so that an update has the same bits if it comes encoded
                    np.add(widened(values, segment.dtype), 0, out=part)
                    self._check(update, segment, first, part)
        if fault := coverage.fault():
            raise LayoutError(f"update does not cover its layout: {fault}")
        self._open = True

    def add_encoded(self, update: Contribution, add: AddTo) -> None:
        """Decode an update into its row; arguments and errors are those of `add`."""
        row = self._begun(update)
        if row is None:
            return
        for segment, values in row.items():
            values.fill(least(segment) if segment.kind is TensorKind.COUNTER else 0)
        add(row.__getitem__, 1.0, None)
        for segment, values in row.items():
            if segment.kind is not TensorKind.COUNTER:
                self._check(update, segment, 0, values)
        self._open = True

    def close(self) -> float:
        """End the round: the rule decides what its blocks will be. They are to be divided by 1.

        Raises:
            RunFailedError: If fewer rows count than the rule needs, or one holds a number that is not finite,
                which its inspection should have found: rules that compare would leave it out in silence.
        """
        if not self._open:
            raise ValueError("no round is open, or an update was added in part")
        self._open = False
        if not self._rows:
            raise RunFailedError(
                "no update of this round has a weight above 0, so there is nothing to combine"
            )
        if len(self._rows) < self._fewest:
            raise RunFailedError(
                f"{len(self._rows)} updates of this round count, the strategy needs {self._fewest}"
            )
        if self._flaw:
            raise RunFailedError(self._flaw)
        self._combined = self._combine(self.rows)
        return 1.0

    def blocks(self, segment: Segment) -> Iterator[tuple[slice, Array]]:
        """Yield (elements, what they come to) of a closed round."""
        for block in blocks(segment):
            if segment.kind is TensorKind.COUNTER:
                values = np.sort(side_by_side(self.rows, segment, block), axis=0)
                yield block, values[(len(values) - 1) // 2]
            else:
                yield block, self._combined(segment, block)

    def release(self) -> None:
        """Let go of the updates, but not of their memory."""
        self._spare += [row for _, row in self._rows]
        self._rows.clear()

    def _begun(self, update: Contribution) -> dict[Segment, Array] | None:
        """The row of an update that is to be added; None if it does not count."""
        if not self._open:
            raise ValueError("no round is open")
        if not counts(update.weight):
            return None
        self._open = False
        row = self._spare.pop() if self._spare else self._new_row()
        self._rows.append((update.node, row))
        return row

    def _new_row(self) -> dict[Segment, Array]:
        return {segment: np.empty(segment.size, row_dtype(segment)) for segment in self.layout.segments}

    def _check(self, update: Contribution, segment: Segment, first: int, values: Array) -> None:
        """Look at numbers while they are hot."""
        bad = scan(values).first_bad
        if bad >= 0 and not self._flaw:
            width = NUMPY_DTYPES[segment.dtype].itemsize
            tensor = self.layout.tensor_at(segment.start + (first + bad) * width)
            self._flaw = (
                f"tensor {tensor.name!r}: the update of {update.node} holds a number that is not finite"
            )
