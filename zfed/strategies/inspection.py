"""Is an update acceptable? Asked of every slice while it is hot in the cache, answered once all are there."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from zfed.errors import LayoutError, UpdateError
from zfed.params import ParameterLayout, Segment, TensorKind, widened
from zfed.strategies.coverage import Coverage
from zfed.strategies.pieces import Array, Buffer, pieces
from zfed_kernels import scan


@dataclass(frozen=True)
class Verdict:
    """What is known of an acceptable update.

    Attributes:
        norm: L2 norm of all its floats, infinite if it leaves float64. Depends on the slices only in its
            last bits, not on their order.
        largest: Largest |value| of its floats.
    """

    norm: float
    largest: float


class UpdateInspector:
    """Checks one update as its slices come, in any order.

    Pure: no clock, no I/O. Of several faults the one at the lowest offset is told, whatever came first.

    Args:
        layout: Of the moving tensors.
        value_range: Largest |value| that fits the round's grid.
    """

    def __init__(self, layout: ParameterLayout, value_range: float) -> None:
        self._layout = layout
        self._value_range = value_range
        self._coverage = Coverage(layout.nbytes)
        self._squares: list[float] = []
        self._largest = 0.0
        self._fault: tuple[int, UpdateError] | None = None

    def feed(self, offset: int, data: Buffer) -> None:
        """Look at the bytes from `offset` on; a fault is remembered for `verdict`."""
        self._coverage.add(offset, memoryview(data).nbytes)
        try:
            for segment, first, values in pieces(self._layout, offset, data):
                if segment.kind is not TensorKind.COUNTER:
                    self._look_at_floats(segment, first, values)
                elif segment.dtype == "BOOL":
                    self._look_at_booleans(segment, first, values)
        except LayoutError as error:
            self._remember(offset, UpdateError(str(error), code="layout"))

    def verdict(self) -> Verdict:
        """What was found, once all slices have come.

        Raises:
            UpdateError: If the update is not acceptable. Its `code` is "not-finite", "value-range", or
                "layout" (bytes missing, twice or too many; a boolean that is none).
        """
        if fault := self._coverage.fault():
            raise UpdateError(f"update does not cover its layout: {fault}", code="layout")
        if self._fault:
            raise self._fault[1]
        try:
            squares = math.fsum(self._squares)
        except OverflowError:  # finite parts, infinite sum
            squares = math.inf
        return Verdict(norm=math.sqrt(squares), largest=self._largest)

    def _look_at_floats(self, segment: Segment, first: int, values: Array) -> None:
        found = scan(values)
        self._squares.append(found.squares)
        self._largest = max(self._largest, found.largest)
        if found.first_bad >= 0:
            self._refuse(segment, first, found.first_bad, values, "not-finite", "expected a finite number")
        elif found.largest > self._value_range:
            index = int(np.argmax(np.abs(widened(values, segment.dtype)) > self._value_range))
            allowed = f"the largest value allowed is {self._value_range:g}: see --value-range"
            self._refuse(segment, first, index, values, "value-range", allowed)

    def _look_at_booleans(self, segment: Segment, first: int, values: Array) -> None:
        raw = values.view(np.uint8)
        if raw.size and raw.max() > 1:  # numpy would take such a byte for true here, for false there
            self._refuse(segment, first, int(np.argmax(raw > 1)), raw, "layout", "expected 0 or 1")

    def _refuse(
        self, segment: Segment, first: int, index: int, values: Array, code: str, allowed: str
    ) -> None:
        """Remember what is wrong with values[index], the element `first + index` of a segment."""
        width = values.itemsize
        offset = segment.start + (first + index) * width
        tensor = self._layout.tensor_at(offset)
        value = values[index : index + 1]
        seen = (value if segment.kind is TensorKind.COUNTER else widened(value, segment.dtype))[0]
        at = tuple(map(int, np.unravel_index((offset - tensor.offset) // width, tensor.shape)))
        message = f"tensor {tensor.name!r} is {seen:g} at {at}, {allowed}"
        self._remember(offset, UpdateError(message, code=code, tensor=tensor.name))

    def _remember(self, offset: int, error: UpdateError) -> None:
        if self._fault is None or offset < self._fault[0]:
            self._fault = (offset, error)
