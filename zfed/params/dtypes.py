"""Element types: safetensors' names, how numpy holds them, and exact widening and rounding.

numpy has no bfloat16, so a BF16 tensor is held as the uint16 of its bits: the upper half of a float32.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from zfed.errors import LayoutError

Array: TypeAlias = NDArray[Any]
FloatArray: TypeAlias = NDArray[np.float32] | NDArray[np.float64]

# Widest first: the order of a vector, so that every tensor is aligned without padding. Always little-endian.
NUMPY_DTYPES: Final[dict[str, np.dtype[Any]]] = {
    "F64": np.dtype("<f8"),
    "I64": np.dtype("<i8"),
    "U64": np.dtype("<u8"),
    "F32": np.dtype("<f4"),
    "I32": np.dtype("<i4"),
    "U32": np.dtype("<u4"),
    "F16": np.dtype("<f2"),
    "BF16": np.dtype("<u2"),
    "I16": np.dtype("<i2"),
    "U16": np.dtype("<u2"),
    "I8": np.dtype("i1"),
    "U8": np.dtype("u1"),
    "BOOL": np.dtype("?"),
}
FLOATING: Final = frozenset({"F64", "F32", "F16", "BF16"})

_NAMES: Final = {numpy_dtype: name for name, numpy_dtype in NUMPY_DTYPES.items() if name != "BF16"}


def dtype_name(array: Array) -> str:
    """The safetensors name of an array's element type, whatever its byte order; uint16 is "U16".

    Raises:
        LayoutError: If a model file cannot hold such elements (complex numbers, text, objects ...).
    """
    try:
        return _NAMES[array.dtype.newbyteorder("<")]
    except KeyError:
        raise LayoutError(f"dtype {array.dtype} is not one of {', '.join(NUMPY_DTYPES)}") from None


def widened(array: Array, dtype: str) -> FloatArray:
    """The same numbers in a type fit to compute with: F16, BF16 and F32 as float32, F64 as float64. Exact.

    Args:
        array: Elements as a `ParameterBuffer` holds them. F32 and F64 are returned as they are, not copied.
        dtype: Their safetensors name; a float.
    """
    if dtype == "BF16":
        # asarray: numpy turns the result of arithmetic on a 0-dimensional array into a scalar
        return np.asarray(np.left_shift(array, 16, dtype=np.uint32)).view(np.float32)
    if dtype == "F16":
        return array.astype(np.float32)
    if dtype in FLOATING:
        return array
    raise LayoutError(f"dtype {dtype} cannot be widened: it holds no floats")


def narrowed(array: FloatArray, dtype: str) -> Array:
    """Numbers rounded once, to nearest with ties to even, into a float type; the reverse of `widened`.

    What is too large becomes an infinity, as in IEEE 754; NaN stays NaN.

    Args:
        array: float32 or float64.
        dtype: Safetensors name of the result; a float.
    """
    if dtype not in FLOATING:
        raise LayoutError(f"cannot round to dtype {dtype}: it holds no floats")
    if dtype == "BF16":
        return _bfloat16_bits(array)
    with np.errstate(over="ignore", under="ignore"):
        return array.astype(NUMPY_DTYPES[dtype])


def _bfloat16_bits(array: FloatArray) -> NDArray[np.uint16]:
    bits = _float32_bits_rounded_to_odd(array) if array.dtype.itemsize == 8 else array.view(np.uint32)
    # Adding just under half of the last kept place, plus the bit that makes ties go to even, carries when
    # it must. A NaN could carry into infinity or zero, so it is cut instead, and kept a (quiet) NaN.
    nearest = (bits + np.uint32(0x7FFF) + ((bits >> 16) & np.uint32(1))) >> 16
    quiet_nan = (bits >> 16) | np.uint32(0x0040)
    return np.asarray(np.where(np.isnan(array), quiet_nan, nearest)).astype(np.uint16)


def _float32_bits_rounded_to_odd(array: FloatArray) -> NDArray[np.uint32]:
    """Bits of float64 numbers as float32, cut towards zero with the last bit set if anything was lost.

    Rounding these again to fewer places gives what rounding once would (Boldo and Melquiond, "Emulation of
    FMA and correctly rounded sums: proved algorithms using rounding to odd", 2008); nearest, twice, does not.
    """
    with np.errstate(over="ignore", under="ignore"):
        nearest = np.asarray(array.astype(np.float32))
    bits = nearest.view(np.uint32)
    widened_again = nearest.astype(np.float64)
    cut = np.where(np.abs(widened_again) > np.abs(array), bits - np.uint32(1), bits)
    lossy = (widened_again != array) & ~np.isnan(array)
    return np.where(lossy, cut | np.uint32(1), bits).astype(np.uint32)
