"""Models as safetensors files: `safetensors.torch.load_file` opens what is written here, without zfed.

The data are a buffer's moving bytes, then its frozen bytes; local tensors never leave a node's memory by this
way. Files written by others can be read as well, in any order of tensors, with bfloat16.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path

import numpy as np

from zfed.checkpoint.atomic import write_atomically
from zfed.checkpoint.digest import ContentHasher, Digests
from zfed.checkpoint.disk import OS_DISK, Disk
from zfed.checkpoint.os_errors import translated
from zfed.checkpoint.safetensors_header import (
    LENGTH_BYTES,
    decode_header,
    encode_header,
    header_bytes,
)
from zfed.errors import CheckpointError
from zfed.params import ParameterBuffer, ParameterLayout, default_kind, dtype_name
from zfed.params.dtypes import Array
from zfed.params.layout import GROUP_ALIGNMENT


def write_model(
    path: Path,
    buffer: ParameterBuffer,
    metadata: Mapping[str, str] | None = None,
    *,
    moving: Iterable[Array] | None = None,
    disk: Disk = OS_DISK,
) -> Digests:
    """Write a model's moving and frozen tensors, whole or not at all, and durably.

    Args:
        path: Its folder must be there; a file of this name is replaced.
        buffer: Not changed meanwhile by anybody.
        metadata: Strings for whoever opens the file. Keys from "zfed." on are zfed's.
        moving: The moving bytes of `buffer` piece by piece, each as soon as it is final; what this raises
            goes through, and no file is left. By default all are final.
        disk: Where it is written.

    Raises:
        CheckpointError: If it cannot be written; a file that was there still is.
    """
    content = ContentHasher()
    of_moving = ""

    def data() -> Iterator[Array]:
        nonlocal of_moving
        for piece in [buffer.moving.data] if moving is None else moving:
            content.update(piece.data)
            yield piece
        of_moving = content.digest
        content.update(buffer.frozen.data.data)
        yield buffer.frozen.data

    _write(path, buffer.layout.shared, data(), metadata or {}, disk)
    return Digests(content.digest, of_moving)


def write_arrays(
    path: Path,
    arrays: Mapping[str, Array],
    metadata: Mapping[str, str] | None = None,
    *,
    disk: Disk = OS_DISK,
) -> str:
    """Write plain named arrays in the same way, without a copy of them all; `read_model` reads them.

    Returns the `content_digest` of what `read_model` will give.

    Raises:
        CheckpointError: As `write_model`.
        LayoutError: If a safetensors file cannot hold such an array.
    """
    dtypes = {name: dtype_name(array) for name, array in arrays.items()}
    layout = ParameterLayout.build(
        (name, dtypes[name], array.shape, default_kind(dtypes[name])) for name, array in arrays.items()
    )
    content = ContentHasher()

    def data() -> Iterator[Array]:
        for spec in layout.tensors:
            array = np.ascontiguousarray(arrays[spec.name], spec.numpy_dtype).reshape(-1).view(np.uint8)
            content.update(array.data)
            yield array

    _write(path, layout, data(), metadata or {}, disk)
    return content.digest


def read_model(path: Path, *, disk: Disk = OS_DISK) -> ParameterBuffer:
    """Read a safetensors file into memory, read-only; tensors that zfed did not write have the default kinds.

    Raises:
        CheckpointError: If it is missing, cannot be read, or is no valid safetensors file.
    """
    with translated(f"cannot read {path}"):
        return _buffer(path, memoryview(disk.read(path)), moving_only=False)


def map_model(path: Path, *, moving_only: bool = False, disk: Disk = OS_DISK) -> ParameterBuffer:
    """A read-only buffer over the file itself: it costs page cache, not memory of this process.

    The file may be renamed or deleted meanwhile, but must not be cut: that ends the process with SIGBUS.
    If its tensors do not lie as in a vector, it is read into memory instead. Files by zfed always can be
    mapped, but for one case: frozen tensors, which in a vector start at a boundary, in a file may not.

    Args:
        path: Any safetensors file.
        moving_only: Leave frozen tensors out; then every file by zfed is mapped.
        disk: Where it is.

    Raises:
        CheckpointError: As `read_model`.
    """
    with translated(f"cannot read {path}"):
        return _buffer(path, disk.map(path), moving_only=moving_only)


def _write(
    path: Path, layout: ParameterLayout, data: Iterable[Array], metadata: Mapping[str, str], disk: Disk
) -> None:
    header = encode_header(layout, metadata)
    nbytes = len(header) + sum(spec.nbytes for spec in layout.tensors)
    write_atomically(path, chain([header], (array.data for array in data)), nbytes, disk=disk)


def _buffer(path: Path, content: memoryview, *, moving_only: bool) -> ParameterBuffer:
    """A buffer over the bytes of a file, or a copy of them where they do not lie as in a vector."""
    try:
        length = header_bytes(bytes(content[:LENGTH_BYTES]), len(content))
        header = decode_header(bytes(content[LENGTH_BYTES : LENGTH_BYTES + length]), len(content))
    except CheckpointError as error:
        raise CheckpointError(f"{path} is not a valid model file: {error}") from error
    layout = header.layout.moving if moving_only else header.layout
    data = np.frombuffer(content, np.uint8)[header.data_start :]
    if not header.data_start % GROUP_ALIGNMENT and all(
        spec.offset == header.offsets[spec.name] for spec in layout.tensors
    ):
        return ParameterBuffer(layout, data[: layout.nbytes])
    buffer = ParameterBuffer.zeros(layout)
    for spec in layout.tensors:
        begin = header.offsets[spec.name]
        buffer.data[spec.offset : spec.stop] = data[begin : begin + spec.nbytes]
    return buffer.read_only()
