"""Where each part of an update lies in its encoded form: the same on both sides, from the layout alone.

Rules:

1. Parts follow one another in the order of the moving tensors; a part lies in one tensor if it is encoded, in
   one segment if it is exact.
2. Encoded are tensors of kind `average` in float32 or float64 that are not said to be exact; everything else
   is exact, byte for byte. Running statistics are few and variances must not become negative; counters are
   no floats; halves are small already.
3. A part starts at the next multiple of its alignment; the bytes between are 0. Where nothing is encoded
   there are none, and the encoded form is the vector itself.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import groupby
from typing import Final

from zfed.compression.codec import Codec
from zfed.errors import LayoutError
from zfed.params import ParameterLayout, Segment, TensorKind, TensorSpec
from zfed.params.dtypes import NUMPY_DTYPES

MOST_NAMED: Final = 8
"""Tensors that a refusal lists."""

EXACT_PART: Final = 2**20
"""Most bytes of an exact part."""


@dataclass(frozen=True)
class Part:
    """A stretch of the vector and of its encoded form.

    Attributes:
        segment: The one it lies in.
        tensor: The one it lies in, if it is encoded; None if it is exact.
        start: Its first byte in the vector.
        stop: The byte after its last there.
        at: Its first byte in the encoded form.
        nbytes: Its length there.
        first: How many encoded values come before it: its place in a residual.
    """

    segment: Segment
    tensor: TensorSpec | None
    start: int
    stop: int
    at: int
    nbytes: int
    first: int

    @property
    def size(self) -> int:
        """Number of elements."""
        return (self.stop - self.start) // NUMPY_DTYPES[self.segment.dtype].itemsize


def lay_out(layout: ParameterLayout, codec: Codec | None, exact: Iterable[str]) -> tuple[Part, ...]:
    """The parts of a vector of moving tensors.

    Args:
        layout: Of moving tensors only.
        codec: None encodes nothing.
        exact: Names or shell patterns of tensors that must stay exact.

    Raises:
        LayoutError: If a pattern fits no tensor.
    """
    kept = matched(layout, exact)
    parts: list[Part] = []
    at = first = 0
    for segment, tensor, start, stop in _stretches(layout, codec, kept):
        itemsize = NUMPY_DTYPES[segment.dtype].itemsize
        size = (stop - start) // itemsize
        if codec is None or tensor is None:
            alignment, nbytes, encoded = itemsize, stop - start, 0
        else:
            alignment, nbytes, encoded = codec.alignment, codec.nbytes(size), size
        at = -(-at // alignment) * alignment
        parts.append(Part(segment, tensor, start, stop, at, nbytes, first))
        at += nbytes
        first += encoded
    return tuple(parts)


def _stretches(
    layout: ParameterLayout, codec: Codec | None, exact: frozenset[str]
) -> Iterator[tuple[Segment, TensorSpec | None, int, int]]:
    """Yield (segment, tensor if encoded, first byte, byte after the last) of every part."""

    def encoded(tensor: TensorSpec) -> TensorSpec | None:
        may = tensor.kind is TensorKind.AVERAGE and tensor.dtype in ("F32", "F64")
        return tensor if codec is not None and may and tensor.name not in exact else None

    segments = {(segment.dtype, segment.kind): segment for segment in layout.segments}
    filled = (tensor for tensor in layout.tensors if tensor.nbytes)
    for (dtype, kind, tensor), run in groupby(filled, lambda each: (each.dtype, each.kind, encoded(each))):
        members = list(run)  # one tensor if it is encoded, else neighbours
        stop = members[-1].stop
        step = codec.part_size * tensor.numpy_dtype.itemsize if codec and tensor else EXACT_PART
        for start in range(members[0].offset, stop, step):
            yield segments[dtype, kind], tensor, start, min(start + step, stop)


def matched(layout: ParameterLayout, patterns: Iterable[str]) -> frozenset[str]:
    """The tensors that one of these names or shell patterns fits.

    Raises:
        LayoutError: If a pattern fits no tensor.
    """
    names = {tensor.name for tensor in layout.tensors}
    found: set[str] = set()
    for pattern in patterns:
        fitting = [pattern] if pattern in names else [name for name in names if fnmatchcase(name, pattern)]
        if not fitting:  # surely a slip of the pen
            raise LayoutError(
                f"{pattern!r} is to be exact, but fits no tensor that is sent; there are {_listed(names)}",
                tensor=pattern,
            )
        found.update(fitting)
    return frozenset(found)


def _listed(names: Collection[str]) -> str:
    """Names as a person may want to see them: not a hundred."""
    shown = [repr(name) for name in sorted(names)[:MOST_NAMED]]
    return ", ".join(shown) + (f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else "")
