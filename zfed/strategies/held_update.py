"""An update that waits for the end of its round, to be summed block by block with the others."""

from __future__ import annotations

from collections.abc import Iterable

from zfed.errors import LayoutError
from zfed.params import ParameterLayout, Segment
from zfed.strategies.coverage import Coverage
from zfed.strategies.pieces import Array, Buffer, pieces


class HeldUpdate:
    """The elements of an update where they arrived, nothing copied, in the order of the vector.

    Args:
        layout: Of the moving tensors.
        chunks: (byte offset, bytes) slices in any order.
        weight: Of the update.

    Raises:
        LayoutError: If the slices do not cover the vector, each byte once.
    """

    def __init__(self, layout: ParameterLayout, chunks: Iterable[tuple[int, Buffer]], weight: float) -> None:
        self.weight = weight
        coverage = Coverage(layout.nbytes)
        self._pieces: dict[Segment, list[tuple[int, Array]]] = {each: [] for each in layout.segments}
        for offset, data in chunks:
            coverage.add(offset, memoryview(data).nbytes)
            for segment, first, values in pieces(layout, offset, data):
                self._pieces[segment].append((first, values))
        if fault := coverage.fault():
            raise LayoutError(f"update does not cover its layout: {fault}")
        for placed in self._pieces.values():
            placed.sort(key=lambda piece: -piece[0])  # the next one is the last: `take` pops it

    def border(self, segment: Segment) -> int:
        """How far what comes next lies in one piece: the element after it."""
        first, values = self._pieces[segment][-1]
        return first + values.size

    def take(self, segment: Segment, stop: int) -> Array:
        """The elements that come next, to before `stop`, which is not beyond `border`."""
        first, values = self._pieces[segment].pop()
        if first + values.size > stop:
            self._pieces[segment].append((stop, values[stop - first :]))
        return values[: stop - first]
