"""Updates side by side: what a robust rule is given, and what it makes of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from zfed.params import ParameterLayout, Segment, TensorKind
from zfed.params.dtypes import NUMPY_DTYPES
from zfed.strategies.pieces import Array

BLOCK: Final = 2**16
"""Elements of each row worked on at a time: enough that a kernel's checks take little of its time."""

Row: TypeAlias = Mapping[Segment, Array]
"""One update: the elements of each segment, floats in the dtype that is computed in."""

CombineBlock: TypeAlias = Callable[[Segment, slice], NDArray[np.float64]]
"""What a rule makes of some elements of a segment of floats: new memory, which the caller may change."""


def row_dtype(segment: Segment) -> np.dtype[Any]:
    """What a row holds of a segment: counters as they are, F64 in float64, other floats in float32."""
    if segment.kind is TensorKind.COUNTER:
        return NUMPY_DTYPES[segment.dtype]
    return np.dtype(np.float64 if segment.dtype == "F64" else np.float32)


def row_bytes(layout: ParameterLayout) -> int:
    """Bytes of one row."""
    return sum(segment.size * row_dtype(segment).itemsize for segment in layout.segments)


def block_bytes(layout: ParameterLayout) -> int:
    """Bytes of the largest block of one row."""
    sizes = (min(segment.size, BLOCK) * row_dtype(segment).itemsize for segment in layout.segments)
    return max(sizes, default=0)


def blocks(segment: Segment) -> Iterator[slice]:
    """The elements of a segment, a block at a time."""
    for start in range(0, segment.size, BLOCK):
        yield slice(start, min(start + BLOCK, segment.size))


def float_blocks(row: Row) -> Iterator[tuple[Segment, slice]]:
    """All floats of a row, a block at a time, in the order of the vector."""
    for segment in row:
        if segment.kind is not TensorKind.COUNTER:
            for block in blocks(segment):
                yield segment, block


def side_by_side(rows: Sequence[Row], segment: Segment, block: slice) -> Array:
    """A block of every row as a new matrix, one row each."""
    matrix = np.empty((len(rows), block.stop - block.start), row_dtype(segment))
    for line, row in zip(matrix, rows, strict=True):
        line[:] = row[segment][block]
    return matrix
