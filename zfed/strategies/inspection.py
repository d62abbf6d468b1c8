"""Is an update acceptable? Asked of every slice while it is hot in the cache, answered once all are there."""

from __future__ import annotations

import math
import sys
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np

from zfed.errors import LayoutError, UpdateError
from zfed.params import ParameterLayout, Segment, TensorKind, widened
from zfed.strategies.coverage import Coverage
from zfed.strategies.pieces import Array, Buffer, pieces
from zfed_kernels import scan

NO_NORM_LIMIT: Final = sys.float_info.max
"""A norm that is refused without any other limit, too, is not finite."""


@dataclass(frozen=True)
class Bounds:
    """What the numbers of an update must keep within.

    Attributes:
        value_range: Largest |value| of a float.
        max_norm: Largest L2 norm of the learned tensors.
        range_remedy: What to do about a value that is too large; empty if nothing can be done.
    """

    value_range: float = math.inf
    max_norm: float = NO_NORM_LIMIT
    range_remedy: str = "see --value-range"


@dataclass(frozen=True)
class Verdict:
    """What is known of an acceptable update.

    Attributes:
        norm: L2 norm of its learned tensors. Depends on the slices only in its last bits, not on their order.
            Batch-norm statistics are left out: they have the units of the data, and would drown it.
        largest: Largest |value| of its floats.
    """

    norm: float
    largest: float


class UpdateInspector:
    """Checks one update as its slices come, in any order.

    Pure: no clock, no I/O. Of several faults the one at the lowest offset is told, whatever came first.

    Args:
        layout: Of the moving tensors.
        bounds: What its numbers must keep within.
    """

    def __init__(self, layout: ParameterLayout, bounds: Bounds) -> None:
        self._layout = layout
        self._bounds = bounds
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

    def verdict(self, again: Iterable[tuple[int, Buffer]] = ()) -> Verdict:
        """What was found, once all slices have come.

        Args:
            again: The slices once more, as (offset, bytes); gone through only to tell which tensor makes a
                norm too large.

        Raises:
            UpdateError: If the update is not acceptable. Its code is "not-finite", "value-range", "norm" or
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
        norm = math.sqrt(squares)
        if norm > self._bounds.max_norm:
            raise self._too_long(norm, again)
        # Plain, as it goes into the journal: kernels that are not compiled give numpy's
        return Verdict(norm=norm, largest=float(self._largest))

    def _too_long(self, norm: float, again: Iterable[tuple[int, Buffer]]) -> UpdateError:
        limit = self._bounds.max_norm
        message = f"the norm is {norm:g}, the largest allowed is {limit:g}: see --max-norm, --max-norm-ratio"
        tensor, share = heaviest_tensor(self._layout, again)
        if tensor:
            message += f"; the most of it, {share:g}, is in tensor {tensor!r}"
        return UpdateError(message, code="norm", tensor=tensor, seen=f"{norm:g}", limit=f"{limit:g}")

    def _look_at_floats(self, segment: Segment, first: int, values: Array) -> None:
        found = scan(values)
        if segment.kind is TensorKind.AVERAGE:
            self._squares.append(found.squares)
        self._largest = max(self._largest, found.largest)
        limit = np.float64(self._bounds.value_range)  # or numpy rounds it to the dtype it is compared with
        if found.first_bad < 0 and found.largest <= limit:
            return
        wide = widened(values, segment.dtype)
        index = int(np.argmin(np.isfinite(wide) & (np.abs(wide) <= limit)))
        if np.isfinite(wide[index]):
            self._refuse(segment, first, index, values, "value-range", f"{limit:g}")
        else:
            self._refuse(segment, first, index, values, "not-finite", "a finite number")

    def _look_at_booleans(self, segment: Segment, first: int, values: Array) -> None:
        raw = values.view(np.uint8)
        if raw.size and raw.max() > 1:  # numpy would take such a byte for true here, for false there
            self._refuse(segment, first, int(np.argmax(raw > 1)), raw, "layout", "0 or 1")

    def _refuse(self, segment: Segment, first: int, index: int, values: Array, code: str, limit: str) -> None:
        """Remember what is wrong with values[index], the element `first + index` of a segment."""
        width = values.itemsize
        offset = segment.start + (first + index) * width
        tensor = self._layout.tensor_at(offset)
        value = values[index : index + 1]
        seen = (value if segment.kind is TensorKind.COUNTER else widened(value, segment.dtype))[0]
        at = tuple(map(int, np.unravel_index((offset - tensor.offset) // width, tensor.shape)))
        allowed = f"expected {limit}"
        if code == "value-range":
            allowed = f"the largest value allowed is {limit}: {self._bounds.range_remedy}"
        message = f"tensor {tensor.name!r} is {seen:g} at {at}, {allowed}"
        error = UpdateError(message, code=code, tensor=tensor.name, seen=f"{seen:g}", limit=limit)
        self._remember(offset, error)

    def _remember(self, offset: int, error: UpdateError) -> None:
        if self._fault is None or offset < self._fault[0]:
            self._fault = (offset, error)


def heaviest_tensor(layout: ParameterLayout, slices: Iterable[tuple[int, Buffer]]) -> tuple[str, float]:
    """The learned tensor with the largest L2 norm, and that norm; ("", 0.0) if the slices have none.

    It looks at each tensor by itself, so it takes longer than an inspection.
    """
    squares: defaultdict[str, float] = defaultdict(float)
    for offset, data in slices:
        for segment, first, values in pieces(layout, offset, data):
            if segment.kind is not TensorKind.AVERAGE:
                continue
            done = 0
            while done < values.size:
                tensor = layout.tensor_at(segment.start + (first + done) * values.itemsize)
                here = (tensor.stop - segment.start) // values.itemsize - first
                squares[tensor.name] += scan(values[done:here]).squares
                done = min(here, values.size)
    name = max(sorted(squares), key=lambda name: squares[name], default="")
    return name, math.sqrt(squares[name]) if name else 0.0
