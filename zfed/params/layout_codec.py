"""A layout as JSON: `{"format":"zfed-layout/1","tensors":[["conv1.weight","F32",[20,1,5,5],"average"],...]}`.

Offsets are not written: they follow from the order, so they cannot contradict it. What is checked here is the
form; names, dtypes, shapes and kinds are checked by `ParameterLayout.build`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

import msgspec
import orjson

from zfed.errors import LayoutError

FORMAT: Final = "zfed-layout/1"

MAX_DESCRIPTION_BYTES: Final = 8 << 20
"""Longest description: of 65,536 tensors each may take 128 bytes. As objects it takes ten times as much."""


def encode(tensors: Iterable[tuple[str, str, tuple[int, ...], str]]) -> bytes:
    """JSON of (name, dtype, shape, kind), in the order of the vector."""
    return orjson.dumps({"format": FORMAT, "tensors": list(tensors)})


def decode(data: bytes | bytearray | memoryview) -> list[tuple[str, str, tuple[int, ...], str]]:
    """What `encode` was given. Bytes of another form are given up where that shows, not read to their end.

    Raises:
        LayoutError: If the bytes are not JSON of this form, or longer than `MAX_DESCRIPTION_BYTES`.
    """
    if len(data) > MAX_DESCRIPTION_BYTES:
        raise LayoutError(f"layout of {len(data)} bytes, limit is {MAX_DESCRIPTION_BYTES}")
    try:
        document = msgspec.json.decode(data, type=_Document)
    except msgspec.ValidationError as error:
        raise LayoutError(f"layout is not in the format {FORMAT!r}: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise LayoutError(f"layout is not JSON: {error}") from error
    return document.tensors


class _Document(msgspec.Struct):
    format: Literal["zfed-layout/1"]
    tensors: list[tuple[str, str, tuple[int, ...], str]]
