"""A layout as JSON: `{"format":"zfed-layout/1","tensors":[["conv1.weight","F32",[20,1,5,5],"average"],...]}`.

Offsets are not written: they follow from the order, so they cannot contradict it. What is checked here is the
form; names, dtypes, shapes and kinds are checked by `ParameterLayout.build`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import orjson

from zfed.errors import LayoutError

FORMAT: Final = "zfed-layout/1"


def encode(tensors: Iterable[tuple[str, str, tuple[int, ...], str]]) -> bytes:
    """JSON of (name, dtype, shape, kind), in the order of the vector."""
    return orjson.dumps({"format": FORMAT, "tensors": list(tensors)})


def decode(data: bytes | bytearray | memoryview) -> Iterator[tuple[str, str, tuple[int, ...], str]]:
    """Yield what `encode` was given.

    Raises:
        LayoutError: If the bytes are not JSON of this form.
    """
    try:
        document = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise LayoutError(f"layout is not JSON: {error}") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise LayoutError(f"layout is not in the format {FORMAT!r}")
    tensors = document.get("tensors")
    if not isinstance(tensors, list):
        raise LayoutError("layout has no list of tensors")
    for index, tensor in enumerate(tensors):
        match tensor:
            case [str(name), str(dtype), list(shape), str(kind)]:
                yield name, dtype, tuple(shape), kind
            case _:
                raise LayoutError(f"layout entry {index} is not [name, dtype, shape, kind]")
