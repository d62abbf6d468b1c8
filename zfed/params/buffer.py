"""A model's numbers: one contiguous vector of bytes, seen as named arrays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zfed.errors import LayoutError
from zfed.params.dtypes import NUMPY_DTYPES, Array, dtype_name
from zfed.params.layout import GROUP_ALIGNMENT, ParameterLayout, aligned
from zfed.params.tensor import TensorKind, TensorSpec, default_kind


class ParameterBuffer(Mapping[str, Array]):
    """Named arrays that are views into one flat vector; writing to one writes to the vector.

    Two buffers are equal if their layouts and all bytes of their tensors are (so NaN equals the same NaN).

    Args:
        layout: What lies where.
        data: The vector: (layout.nbytes,) contiguous uint8. Taken as it is, not copied; keep it 64-byte
            aligned where speed matters. What this class allocates is.

    Raises:
        LayoutError: If `data` is not such a vector.
    """

    def __init__(self, layout: ParameterLayout, data: NDArray[np.uint8]) -> None:
        if data.dtype != np.uint8 or data.ndim != 1 or not data.flags.c_contiguous:
            raise LayoutError(
                f"expected a contiguous vector of bytes, not {data.dtype} of shape {data.shape}"
            )
        if data.size != layout.nbytes:
            raise LayoutError(f"vector holds {data.size} bytes, the layout needs {layout.nbytes}")
        self.layout = layout
        self.data = data

    @classmethod
    def zeros(cls, layout: ParameterLayout) -> ParameterBuffer:
        """A new buffer of zeros. Memory is taken page by page, as it is written."""
        space = np.zeros(layout.nbytes + GROUP_ALIGNMENT - 1, np.uint8)
        start = -space.ctypes.data % GROUP_ALIGNMENT
        return cls(layout, space[start : start + layout.nbytes])

    @classmethod
    def from_arrays(
        cls,
        arrays: Mapping[str, ArrayLike] | Sequence[ArrayLike],
        *,
        kinds: Mapping[str, TensorKind] | None = None,
        dtypes: Mapping[str, str] | None = None,
    ) -> ParameterBuffer:
        """Copy arrays of any byte order and strides into a new buffer.

        Args:
            arrays: By name; those of a sequence are called "0", "1", ...
            kinds: Kind by name or shell pattern ("bn*"). A name goes before patterns, and the first pattern
                that fits before later ones; elsewhere floats are `average`, integers and booleans `counter`.
            dtypes: `{"w": "BF16"}` says that the uint16 array "w" holds bfloat16 bits.

        Raises:
            LayoutError: If an array cannot be held, a dtype does not fit, or a key of `kinds` or `dtypes`
                fits no array.
        """
        if not isinstance(arrays, Mapping):
            arrays = {str(index): array for index, array in enumerate(arrays)}
        given = {name: np.asarray(array) for name, array in arrays.items()}
        marked = dict(dtypes or {})
        for name in marked:
            if name not in given:
                raise LayoutError(f"a dtype is given for {name!r}, but there is no such tensor", tensor=name)
        names = {name: _dtype(name, array, marked.get(name)) for name, array in given.items()}
        chosen = matched_kinds(given, kinds or {})
        layout = ParameterLayout.build(
            (name, names[name], array.shape, chosen.get(name, default_kind(names[name])))
            for name, array in given.items()
        )
        buffer = cls.zeros(layout)
        for name, array in given.items():
            buffer[name][...] = array
        return buffer

    @classmethod
    def filled(cls, layout: ParameterLayout, arrays: Mapping[str, ArrayLike]) -> ParameterBuffer:
        """Copy named arrays into a new buffer of a given layout.

        Raises:
            LayoutError: If a tensor is missing, has another shape or dtype, or is not in the layout; it
                names the first such tensor.
        """
        given = fitting(layout, arrays)
        buffer = cls.zeros(layout)
        for name, array in given.items():
            buffer[name][...] = array
        return buffer

    def __getitem__(self, name: str) -> Array:
        try:
            spec = self.layout.tensor(name)
        except LayoutError:
            raise KeyError(name) from None  # what a Mapping promises
        return self.data[spec.offset : spec.stop].view(spec.numpy_dtype).reshape(spec.shape)

    def __iter__(self) -> Iterator[str]:
        return (spec.name for spec in self.layout.tensors)

    def __len__(self) -> int:
        return len(self.layout.tensors)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ParameterBuffer):
            return NotImplemented
        # Group by group: the padding between groups means nothing
        parts = zip(
            (self.moving, self.frozen, self.local), (other.moving, other.frozen, other.local), strict=True
        )
        return self.layout == other.layout and all(
            np.array_equal(ours.data, theirs.data) for ours, theirs in parts
        )

    __hash__ = None  # type: ignore[assignment]  # its bytes may change

    def __repr__(self) -> str:
        return f"<ParameterBuffer: {len(self)} tensors, {self.layout.nbytes} bytes>"

    @property
    def moving(self) -> ParameterBuffer:
        """What every round carries; a view."""
        return self._part(self.layout.moving, 0)

    @property
    def frozen(self) -> ParameterBuffer:
        """What is sent to a node once; a view."""
        return self._part(self.layout.frozen, aligned(self.layout.moving.nbytes))

    @property
    def local(self) -> ParameterBuffer:
        """What is never sent; a view."""
        return self._part(self.layout.local, aligned(self.layout.shared.nbytes))

    @property
    def shared(self) -> ParameterBuffer:
        """Moving and frozen; a view."""
        return self._part(self.layout.shared, 0)

    def read_only(self) -> ParameterBuffer:
        """A view through which nothing can be written."""
        data = self.data.view()
        data.flags.writeable = False
        return ParameterBuffer(self.layout, data)

    def copy(self) -> ParameterBuffer:
        """A writable buffer of its own."""
        twin = ParameterBuffer.zeros(self.layout)
        twin.data[:] = self.data
        return twin

    def _part(self, layout: ParameterLayout, start: int) -> ParameterBuffer:
        return ParameterBuffer(layout, self.data[start : start + layout.nbytes])


def fitting(layout: ParameterLayout, arrays: Mapping[str, ArrayLike]) -> dict[str, Array]:
    """The arrays, all of which fit the layout and none of which is missing.

    Raises:
        LayoutError: If a tensor is missing, has another shape or dtype, or is not in the layout; it names
            the first such tensor.
    """
    given = {name: np.asarray(array) for name, array in arrays.items()}
    for spec in layout.tensors:
        _check_fits(spec, given)
    for name in given:
        layout.tensor(name)
    return given


def matched_kinds(names: Mapping[str, object], kinds: Mapping[str, TensorKind]) -> dict[str, TensorKind]:
    """The kind of each tensor that a name or shell pattern of `kinds` fits; a name goes before patterns.

    Raises:
        LayoutError: If a pattern fits no tensor: surely a slip of the pen.
    """
    chosen: dict[str, TensorKind] = {}
    for pattern, kind in kinds.items():
        fitting = [pattern] if pattern in names else [name for name in names if fnmatchcase(name, pattern)]
        if not fitting:
            raise LayoutError(
                f"{pattern!r} is to be {TensorKind(kind).value}, but fits no tensor", tensor=pattern
            )
        for name in fitting:
            chosen.setdefault(name, kind)
    return {**chosen, **{name: kind for name, kind in kinds.items() if name in names}}


def _dtype(name: str, array: Array, marked: str | None) -> str:
    try:
        actual = dtype_name(array)
    except LayoutError as error:
        raise LayoutError(f"tensor {name!r}: {error}", tensor=name) from None
    if marked is None or marked == actual:
        return actual
    if (marked, actual) == ("BF16", "U16"):
        return "BF16"
    raise LayoutError(f"tensor {name!r} is said to be {marked}, but holds {array.dtype}", tensor=name)


def _check_fits(spec: TensorSpec, arrays: Mapping[str, Array]) -> None:
    if spec.name not in arrays:
        raise LayoutError(f"tensor {spec.name!r} is missing", tensor=spec.name)
    array = arrays[spec.name]
    if array.shape != spec.shape:
        raise LayoutError(
            f"tensor {spec.name!r}: shape {array.shape}, expected {spec.shape}", tensor=spec.name
        )
    if array.dtype.newbyteorder("<") != NUMPY_DTYPES[spec.dtype]:
        held = f"{spec.numpy_dtype} bits of BF16" if spec.dtype == "BF16" else spec.numpy_dtype
        raise LayoutError(f"tensor {spec.name!r}: dtype {array.dtype}, expected {held}", tensor=spec.name)
