"""The header of a safetensors file: its layout as JSON, written and checked here.

The file is `<length of JSON: 8 bytes, little-endian><JSON, padded with spaces><data>`. The JSON maps each
name to `{"dtype", "shape", "data_offsets": [begin, end]}`, offsets counted from the start of the data, which
the tensors fill without hole or overlap; `__metadata__` maps strings to strings. zfed adds two of these:
`zfed.kinds`, JSON of the kinds that are not the default ones, and `zfed.layout`, the layout's digest.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from zfed.errors import CheckpointError, LayoutError
from zfed.params import ParameterLayout, default_kind
from zfed.params.layout import GROUP_ALIGNMENT
from zfed.params.tensor import RESERVED_NAME

LENGTH_BYTES: Final = 8
MAX_HEADER_BYTES: Final = 100_000_000  # the format's own limit
KINDS_KEY: Final = "zfed.kinds"
LAYOUT_KEY: Final = "zfed.layout"


@dataclass(frozen=True)
class Header:
    """What a safetensors file holds, and where.

    Attributes:
        layout: Its tensors, laid out as zfed does.
        offsets: First byte of each tensor, by name, from the start of the data.
        data_start: First byte of the data in the file.
    """

    layout: ParameterLayout
    offsets: Mapping[str, int]
    data_start: int


def encode_header(layout: ParameterLayout, metadata: Mapping[str, str]) -> bytes:
    """The bytes before the data of a file that holds the tensors of a layout, end to end, in its order.

    Padded so that the data start at a multiple of `GROUP_ALIGNMENT` bytes: a mapped file is aligned.
    """
    kinds = {
        spec.name: spec.kind.value for spec in layout.tensors if spec.kind is not default_kind(spec.dtype)
    }
    own = {KINDS_KEY: orjson.dumps(kinds).decode(), LAYOUT_KEY: layout.digest}
    document: dict[str, Any] = {RESERVED_NAME: {**metadata, **own}}
    begin = 0
    for spec in layout.tensors:
        end = begin + spec.nbytes
        document[spec.name] = {"dtype": spec.dtype, "shape": spec.shape, "data_offsets": [begin, end]}
        begin = end
    text = orjson.dumps(document)
    padding = -(LENGTH_BYTES + len(text)) % GROUP_ALIGNMENT
    return (len(text) + padding).to_bytes(LENGTH_BYTES, "little") + text + b" " * padding


def header_bytes(prefix: bytes, file_bytes: int) -> int:
    """Length of the JSON that follows the first 8 bytes of a file.

    Raises:
        CheckpointError: If the file cannot be a safetensors file.
    """
    if len(prefix) < LENGTH_BYTES:
        raise CheckpointError(f"it has {file_bytes} bytes, too few for a safetensors file")
    length = int.from_bytes(prefix, "little")
    if length > MAX_HEADER_BYTES or length > file_bytes - LENGTH_BYTES:
        raise CheckpointError(f"it says its header has {length} bytes, but the file has {file_bytes}")
    return length


def decode_header(text: bytes, file_bytes: int) -> Header:
    """Check the JSON of a header, by whomever it was written.

    Tensors of files that zfed did not write have the default kinds.

    Raises:
        CheckpointError: If it is not what the format allows, or does not fit the file's length.
    """
    document = _parsed(text)
    metadata = _strings(RESERVED_NAME, document.pop(RESERVED_NAME, {}))
    data_start = LENGTH_BYTES + len(text)
    regions = {name: _region(name, entry) for name, entry in document.items()}
    # Where empty tensors share a place the order of the header is kept: the sort is stable
    in_file_order = sorted(regions.items(), key=lambda item: item[1][2:])
    kinds = _kinds(metadata)
    try:
        layout = ParameterLayout.build(
            (name, dtype, shape, kinds.get(name, default_kind(dtype)))
            for name, (dtype, shape, _, _) in in_file_order
        )
    except LayoutError as error:
        raise CheckpointError(str(error)) from error
    end = 0
    for name, (_, _, begin, stop) in in_file_order:
        if begin != end or stop - begin != layout.tensor(name).nbytes:
            raise CheckpointError(
                f"tensor {name!r} lies at bytes {begin} to {stop}, expected {end} to"
                f" {end + layout.tensor(name).nbytes}"
            )
        end = stop
    if data_start + end != file_bytes:
        raise CheckpointError(f"it has {file_bytes} bytes, its header tells of {data_start + end}")
    if metadata.get(LAYOUT_KEY, layout.digest) != layout.digest:
        raise CheckpointError(
            f"its tensors have layout {layout.digest}, it was written as {metadata[LAYOUT_KEY]}"
        )
    return Header(layout, {name: begin for name, (_, _, begin, _) in regions.items()}, data_start)


def _parsed(text: bytes) -> dict[str, Any]:
    # json, not orjson: only it shows a name that is there twice
    try:
        document = json.loads(text.decode(), object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"its header is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise CheckpointError("its header is not a JSON object")
    return document


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for name, value in pairs:
        if name in document:
            raise ValueError(f"{name!r} is there twice")
        document[name] = value
    return document


def _strings(what: str, document: object) -> dict[str, str]:
    if not isinstance(document, dict) or not all(isinstance(value, str) for value in document.values()):
        raise CheckpointError(f"its {what} does not map strings to strings")
    return document


def _kinds(metadata: Mapping[str, str]) -> dict[str, str]:
    try:
        kinds = orjson.loads(metadata.get(KINDS_KEY, "{}"))
    except orjson.JSONDecodeError as error:
        raise CheckpointError(f"its {KINDS_KEY} is not JSON: {error}") from error
    return _strings(KINDS_KEY, kinds)


def _region(name: str, entry: object) -> tuple[str, list[int], int, int]:
    match entry:
        case {"dtype": str(dtype), "shape": list(shape), "data_offsets": [int(begin), int(end)], **rest} if (
            not rest
        ):
            return dtype, shape, begin, end
    raise CheckpointError(f"tensor {name!r} is not described by dtype, shape and data_offsets")
