"""Reading IDX, the format of MNIST and its kin: a header of big-endian integers, then the values.

Bytes 0 and 1 are zero, byte 2 is the type, byte 3 the number of dimensions; each dimension follows as four
bytes.
"""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from zfed.errors import DataError

_DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_MAX_DIMENSIONS = 8
_GZIP_MAGIC = b"\x1f\x8b"
_READ_BYTES = 1 << 20

MAX_UNPACKED_BYTES = 1 << 30
"""A compressed file that unpacks to more is refused: 1 MB of gzip can hold 1 GB of zeros."""


def read_idx(path: Path) -> NDArray[Any]:
    """Return the array in an IDX file, read-only, in its own shape and big-endian dtype.

    A plain file is mapped: nodes on one machine share its pages, and only what is touched is read. A gzipped
    file, told by its first bytes and not by its name, is unpacked into memory.

    Raises:
        DataError: If the file is missing, is no IDX file, or does not have exactly the length that its header
            says; or is compressed and unpacks to more than `MAX_UNPACKED_BYTES`.
    """
    try:
        with path.open("rb") as file:
            packed = file.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC
        return _read_packed(path) if packed else _map_plain(path)
    except FileNotFoundError:
        raise DataError(f"{path} is missing") from None
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read: {error}") from error


def _map_plain(path: Path) -> NDArray[Any]:
    with path.open("rb") as file:
        dtype, shape, start = _read_header(file, path)
    values = _expect_length(path, dtype, shape, seen=path.stat().st_size - start)
    if not values:  # an empty range cannot be mapped
        return _frozen(np.empty(shape, dtype))
    return np.asarray(np.memmap(path, dtype=dtype, mode="r", offset=start, shape=shape))


def _read_packed(path: Path) -> NDArray[Any]:
    with gzip.open(path) as file:
        dtype, shape, _ = _read_header(file, path)
        values = bytearray()
        # in pieces: memory follows what is really there, not what the header claims
        while piece := file.read(_READ_BYTES):
            values += piece
            if len(values) > MAX_UNPACKED_BYTES:
                raise DataError(f"{path} unpacks to more than {MAX_UNPACKED_BYTES} bytes, the limit")
    _expect_length(path, dtype, shape, seen=len(values))
    return _frozen(np.frombuffer(values, dtype=dtype).reshape(shape))


def _read_header(file: BinaryIO | gzip.GzipFile, path: Path) -> tuple[np.dtype[Any], tuple[int, ...], int]:
    """Return dtype, shape and where the values start."""
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _DTYPES:
        raise DataError(f"{path} is no IDX file: it starts with the bytes {magic.hex(' ') or 'of nothing'}")
    dimensions = magic[3]
    if not 1 <= dimensions <= _MAX_DIMENSIONS:
        raise DataError(f"{path} has {dimensions} dimensions, expected 1 to {_MAX_DIMENSIONS}")
    sizes = file.read(4 * dimensions)
    if len(sizes) < 4 * dimensions:
        raise DataError(f"{path} is truncated: its header ends after {4 + len(sizes)} bytes")
    shape = tuple(np.frombuffer(sizes, dtype=">u4").tolist())
    return np.dtype(_DTYPES[magic[2]]), shape, 4 + 4 * dimensions


def _expect_length(path: Path, dtype: np.dtype[Any], shape: tuple[int, ...], *, seen: int) -> int:
    values = math.prod(shape) * dtype.itemsize  # Python integers: no header can make this overflow
    if seen != values:
        state = "is truncated" if seen < values else "is too long"
        raise DataError(f"{path} {state}: {seen} bytes of values, its header {shape} says {values}")
    return values


def _frozen(array: NDArray[Any]) -> NDArray[Any]:
    array.flags.writeable = False
    return array
