"""One tensor of a model, as a layout describes it, and what it may be."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from math import prod
from typing import Any, Final

import numpy as np

from zfed.errors import LayoutError
from zfed.params.dtypes import FLOATING, NUMPY_DTYPES

MAX_NAME_LENGTH: Final = 512
MAX_DIMENSIONS: Final = 32  # numpy 1.26's limit
MAX_BYTES: Final = 2**63 - 1
RESERVED_NAME: Final = "__metadata__"  # safetensors keeps this key of a file's header for itself


class TensorKind(str, Enum):
    """How a tensor is aggregated and whether it leaves the node.

    Attributes:
        AVERAGE: Learned; floats. Updates carry deltas.
        RUNNING: Batch-norm statistics; floats. Averaged by weight, never touched by a server optimiser.
        COUNTER: Integers and booleans. Aggregated by maximum, carried as absolute values.
        FROZEN: Never trained. Part of every model file, but sent to a node once.
        LOCAL: Stays on the node.
    """

    AVERAGE = "average"
    RUNNING = "running"
    COUNTER = "counter"
    FROZEN = "frozen"
    LOCAL = "local"


MOVING: Final = frozenset({TensorKind.AVERAGE, TensorKind.RUNNING, TensorKind.COUNTER})


@dataclass(frozen=True)
class TensorSpec:
    """One tensor of a layout.

    Attributes:
        name: Unique in its layout; 1 to `MAX_NAME_LENGTH` characters.
        dtype: Safetensors name: F64, F32, F16, BF16, I64, I32, I16, I8, U64, U32, U16, U8 or BOOL.
        shape: Lengths of the dimensions; () for a scalar.
        kind: How it is aggregated.
        offset: Bytes from the start of the vector.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    kind: TensorKind
    offset: int = 0

    @property
    def size(self) -> int:
        """Number of elements."""
        return prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Number of bytes."""
        return self.size * self.numpy_dtype.itemsize

    @property
    def stop(self) -> int:
        """Offset of the first byte after this tensor."""
        return self.offset + self.nbytes

    @property
    def numpy_dtype(self) -> np.dtype[Any]:
        """The little-endian dtype it is held in; uint16 for BF16."""
        return NUMPY_DTYPES[self.dtype]


def default_kind(dtype: str) -> TensorKind:
    """The kind of a tensor of which nothing but the dtype is known."""
    return TensorKind.AVERAGE if dtype in FLOATING else TensorKind.COUNTER


def checked_spec(name: str, dtype: str, shape: Iterable[int], kind: TensorKind | str) -> TensorSpec:
    """Describe a tensor that has no place yet.

    Raises:
        LayoutError: If the name, dtype, shape or kind cannot be, or the kind does not suit the dtype.
    """
    _check_name(name)
    if dtype not in NUMPY_DTYPES:
        raise LayoutError(
            f"tensor {name!r}: dtype {dtype!r} is not one of {', '.join(NUMPY_DTYPES)}", tensor=name
        )
    if not isinstance(kind, TensorKind):
        kind = _parsed_kind(name, kind)
    if kind in MOVING and (kind is TensorKind.COUNTER) == (dtype in FLOATING):
        wanted = "integers or booleans" if kind is TensorKind.COUNTER else "floats"
        raise LayoutError(f"tensor {name!r}: kind {kind.value} needs {wanted}, dtype is {dtype}", tensor=name)
    return TensorSpec(name, dtype, _checked_shape(name, shape, NUMPY_DTYPES[dtype].itemsize), kind)


def _check_name(name: str) -> None:
    if not isinstance(name, str) or not 1 <= len(name) <= MAX_NAME_LENGTH:
        raise LayoutError(f"tensor name {name!r:.80}: expected text of 1 to {MAX_NAME_LENGTH} characters")
    if name == RESERVED_NAME:
        raise LayoutError(f"tensor name {name!r} is reserved by the safetensors format", tensor=name)
    try:
        name.encode()
    except UnicodeEncodeError:
        raise LayoutError(f"tensor name {name!r:.80} is not valid Unicode") from None


def _parsed_kind(name: str, kind: str) -> TensorKind:
    try:
        return TensorKind(kind)
    except ValueError:
        kinds = ", ".join(known.value for known in TensorKind)
        raise LayoutError(f"tensor {name!r}: kind {kind!r:.80} is not one of {kinds}", tensor=name) from None


def _checked_shape(name: str, shape: Iterable[int], itemsize: int) -> tuple[int, ...]:
    checked = tuple(shape)
    if len(checked) > MAX_DIMENSIONS:
        raise LayoutError(
            f"tensor {name!r} has {len(checked)} dimensions, limit is {MAX_DIMENSIONS}", tensor=name
        )
    # bool is an int to isinstance, and a hostile header may hold floats
    if not all(type(length) is int and length >= 0 for length in checked):
        raise LayoutError(
            f"tensor {name!r}: shape {checked!r:.80} is not made of lengths from 0 on", tensor=name
        )
    # max(.., 1): numpy cannot make even an empty array whose other lengths overflow
    if prod(max(length, 1) for length in checked) * itemsize > MAX_BYTES:
        raise LayoutError(f"tensor {name!r}: shape {checked} holds more than 2**63 bytes", tensor=name)
    return checked
