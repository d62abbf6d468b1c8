"""A model's moving tensors as stretches of one dtype and kind: what arithmetic works on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from zfed.errors import LayoutError
from zfed.params import ParameterBuffer, ParameterLayout, Segment
from zfed.params.dtypes import NUMPY_DTYPES

Array: TypeAlias = NDArray[Any]
Buffer: TypeAlias = "bytes | bytearray | memoryview"

HALF: Final = frozenset({"F16", "BF16"})
"""Dtypes that arithmetic widens to float32."""

BORDER = 8
"""Slices start at multiples of this many bytes, so that no element of any dtype is cut in two."""


def least(segment: Segment) -> int | bool:
    """What any counter of a segment is at least."""
    dtype = NUMPY_DTYPES[segment.dtype]
    return False if dtype == np.bool_ else int(np.iinfo(dtype).min)


def elements(buffer: ParameterBuffer, segment: Segment) -> Array:
    """The numbers of one segment of a buffer's moving tensors; a flat view."""
    return buffer.moving.data[segment.start : segment.stop].view(NUMPY_DTYPES[segment.dtype])


def pieces(layout: ParameterLayout, offset: int, data: Buffer) -> Iterator[tuple[Segment, int, Array]]:
    """Yield (segment, index of the first element in the segment, elements) of one slice; nothing is copied.

    Bytes beyond the layout are left out. Elements may be unaligned and read-only.

    Args:
        layout: Of the vector.
        offset: Where in the vector the slice starts, in bytes.
        data: Its bytes.

    Raises:
        LayoutError: If the slice may cut an element in two.
    """
    raw = np.frombuffer(data, np.uint8)
    end = offset + raw.size
    if offset % BORDER or (end % BORDER and end < layout.nbytes):
        raise LayoutError(f"slice of bytes {offset} to {end}: borders must be multiples of {BORDER}")
    for segment in layout.segments:
        start, stop = max(segment.start, offset), min(segment.stop, end)
        if start < stop:
            dtype = NUMPY_DTYPES[segment.dtype]
            elements = raw[start - offset : stop - offset].view(dtype)
            yield segment, (start - segment.start) // dtype.itemsize, elements
