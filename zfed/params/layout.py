"""Which tensors a model has, and where each lies in the one flat vector that holds them all.

Rules of the vector:

1. Three groups follow one another: *moving* (what every round carries), *frozen* (sent once), *local* (never
   sent). Each starts at a multiple of `GROUP_ALIGNMENT` bytes, so what is sent is a prefix.
2. Inside a group tensors go by element size, widest first; then equal (dtype, kind) are neighbours; then in
   the order given. So there is no padding inside a group, and a group's bytes are a safetensors data section.
3. A layout is its own canonical form: laying out its tensors again gives the same layout.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby, islice
from typing import Final, TypeAlias

from zfed.errors import LayoutError
from zfed.params import layout_codec
from zfed.params.dtypes import NUMPY_DTYPES
from zfed.params.tensor import MAX_BYTES, MOVING, TensorKind, TensorSpec, checked_spec

GROUP_ALIGNMENT: Final = 64
MAX_TENSORS: Final = 1 << 16

Entry: TypeAlias = tuple[str, str, Iterable[int], TensorKind | str]
"""What `ParameterLayout.build` takes for each tensor: name, dtype, shape, kind."""

_DTYPE_RANK: Final = {name: rank for rank, name in enumerate(NUMPY_DTYPES)}
_KIND_RANK: Final = {kind: rank for rank, kind in enumerate(TensorKind)}


@dataclass(frozen=True)
class Segment:
    """A longest run of bytes that all hold one dtype and one kind; never empty.

    Attributes:
        dtype: Safetensors name.
        kind: Kind of all its tensors.
        start: First byte.
        stop: Byte after the last.
    """

    dtype: str
    kind: TensorKind
    start: int
    stop: int

    @property
    def size(self) -> int:
        """Number of elements."""
        return (self.stop - self.start) // NUMPY_DTYPES[self.dtype].itemsize


@dataclass(frozen=True)
class ParameterLayout:
    """Names, shapes, dtypes, kinds and offsets of all tensors in one flat vector. Made by `build`.

    Attributes:
        tensors: In the order of the vector.
    """

    tensors: tuple[TensorSpec, ...]

    @classmethod
    def build(cls, entries: Iterable[Entry]) -> ParameterLayout:
        """Lay tensors out, each given as (name, dtype, shape, kind).

        Raises:
            LayoutError: If a name, dtype, shape or kind cannot be, two names are equal, or all is too large.
        """
        specs = [checked_spec(*entry) for entry in islice(entries, MAX_TENSORS + 1)]
        if len(specs) > MAX_TENSORS:
            raise LayoutError(f"more than {MAX_TENSORS} tensors, limit is {MAX_TENSORS}")
        names: set[str] = set()
        for spec in specs:
            if spec.name in names:
                raise LayoutError(f"tensor {spec.name!r} is there twice", tensor=spec.name)
            names.add(spec.name)
        return cls(_placed(sorted(specs, key=_rank)))

    @classmethod
    def from_bytes(cls, data: bytes | bytearray | memoryview) -> ParameterLayout:
        """The layout that `to_bytes` wrote; anything else, from whomever, is refused.

        Raises:
            LayoutError: If the bytes are not exactly what `to_bytes` writes for some layout.
        """
        layout = cls.build(layout_codec.decode(data))
        if layout.to_bytes() != bytes(data):
            raise LayoutError(
                "layout is not in canonical form: tensors out of order, or another spelling of the JSON"
            )
        return layout

    def to_bytes(self) -> bytes:
        """Canonical JSON: equal layouts give equal bytes, and no others do."""
        return layout_codec.encode(
            (spec.name, spec.dtype, spec.shape, spec.kind.value) for spec in self.tensors
        )

    @cached_property
    def digest(self) -> str:
        """`sha256:<hex>` of what is sent, that is of `shared`; local tensors do not count."""
        return "sha256:" + hashlib.sha256(self.shared.to_bytes()).hexdigest()

    @property
    def nbytes(self) -> int:
        """Length of the vector in bytes."""
        return self.tensors[-1].stop if self.tensors else 0

    @cached_property
    def moving(self) -> ParameterLayout:
        """What every round carries, alone: kinds average, running and counter."""
        return self._only(lambda kind: kind in MOVING)

    @cached_property
    def frozen(self) -> ParameterLayout:
        """What is sent to a node once, alone; its offsets start from 0."""
        return self._only(lambda kind: kind is TensorKind.FROZEN)

    @cached_property
    def local(self) -> ParameterLayout:
        """What is never sent, alone; its offsets start from 0."""
        return self._only(lambda kind: kind is TensorKind.LOCAL)

    @cached_property
    def shared(self) -> ParameterLayout:
        """Moving and frozen: what a model file holds and what leaves the node."""
        return self._only(lambda kind: kind is not TensorKind.LOCAL)

    @cached_property
    def segments(self) -> tuple[Segment, ...]:
        """The vector as runs of one (dtype, kind), in order; padding and empty tensors are in none."""
        filled = (spec for spec in self.tensors if spec.nbytes)
        runs = (list(run) for _, run in groupby(filled, key=lambda spec: (spec.dtype, spec.kind)))
        return tuple(Segment(run[0].dtype, run[0].kind, run[0].offset, run[-1].stop) for run in runs)

    def tensor(self, name: str) -> TensorSpec:
        """The tensor of this name.

        Raises:
            LayoutError: If there is none.
        """
        try:
            return self._by_name[name]
        except KeyError:
            raise LayoutError(f"tensor {name!r} is not in the layout", tensor=name) from None

    def tensor_at(self, offset: int) -> TensorSpec:
        """The tensor that holds the byte at `offset`.

        Raises:
            LayoutError: If the byte is padding or outside the vector.
        """
        index = bisect_right(self.tensors, offset, key=lambda spec: spec.offset) - 1
        if index < 0 or offset >= self.tensors[index].stop:
            raise LayoutError(f"byte {offset} of {self.nbytes} belongs to no tensor")
        return self.tensors[index]

    def first_difference(self, other: ParameterLayout) -> str | None:
        """A sentence on the first tensor that two nodes do not share alike; None if the digests are equal.

        A tensor that is local, or local and missing, on both sides is no difference.
        """
        for here in self.tensors:
            there = other._by_name.get(here.name)
            if difference := _difference(here, there):
                return difference
        for there in other.shared.tensors:
            if there.name not in self._by_name:
                return f"tensor {there.name!r} is missing here"
        for here, there in zip(self.shared.tensors, other.shared.tensors, strict=True):
            if here != there:
                return f"tensor {here.name!r} here is at the place of {there.name!r} there"
        return None

    @cached_property
    def _by_name(self) -> dict[str, TensorSpec]:
        return {spec.name: spec for spec in self.tensors}

    def _only(self, wanted: Callable[[TensorKind], bool]) -> ParameterLayout:
        if all(wanted(spec.kind) for spec in self.tensors):
            return self
        return ParameterLayout(_placed(spec for spec in self.tensors if wanted(spec.kind)))


def aligned(offset: int) -> int:
    """The first byte, from `offset` on, where a group may start."""
    return -(-offset // GROUP_ALIGNMENT) * GROUP_ALIGNMENT


def _group(kind: TensorKind) -> int:
    return 0 if kind in MOVING else _KIND_RANK[kind]


def _rank(spec: TensorSpec) -> tuple[int, int, int]:
    # The table of dtypes is sorted by element size, so its rank orders by size and by dtype at once
    return _group(spec.kind), _DTYPE_RANK[spec.dtype], _KIND_RANK[spec.kind]


def _placed(ordered: Iterable[TensorSpec]) -> tuple[TensorSpec, ...]:
    placed: list[TensorSpec] = []
    offset = 0
    for spec in ordered:
        if placed and _group(placed[-1].kind) != _group(spec.kind):
            offset = aligned(offset)
        placed.append(TensorSpec(spec.name, spec.dtype, spec.shape, spec.kind, offset))
        offset += spec.nbytes
        if offset > MAX_BYTES:
            raise LayoutError(f"tensor {spec.name!r} ends beyond 2**63 bytes", tensor=spec.name)
    return tuple(placed)


def _difference(here: TensorSpec, there: TensorSpec | None) -> str | None:
    if there is None:
        return None if here.kind is TensorKind.LOCAL else f"tensor {here.name!r} is missing there"
    if here.kind is TensorKind.LOCAL and there.kind is TensorKind.LOCAL:
        return None
    facts = (
        ("shape", here.shape, there.shape),
        ("dtype", here.dtype, there.dtype),
        ("kind", here.kind.value, there.kind.value),
    )
    for what, seen_here, seen_there in facts:
        if seen_here != seen_there:
            return f"tensor {here.name!r}: {what} {seen_here} here, {seen_there} there"
    return None
