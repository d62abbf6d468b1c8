"""Models as safetensors files: `safetensors.torch.load_file` opens what is written here, without zfed.

The data are a buffer's moving bytes, then its frozen bytes; local tensors never leave a node's memory by this
way. Files written by others can be read as well, in any order of tensors, with bfloat16.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from io import BufferedReader
from itertools import chain
from pathlib import Path

import numpy as np

from zfed.checkpoint.atomic import write_atomically
from zfed.checkpoint.digest import ContentHasher, Digests
from zfed.checkpoint.os_errors import translated
from zfed.checkpoint.safetensors_header import (
    LENGTH_BYTES,
    Header,
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
) -> Digests:
    """Write a model's moving and frozen tensors, whole or not at all, and durably.

    Args:
        path: Its folder must be there; a file of this name is replaced.
        buffer: Not changed meanwhile by anybody.
        metadata: Strings for whoever opens the file. Keys from "zfed." on are zfed's.
        moving: The moving bytes of `buffer` piece by piece, each as soon as it is final; what this raises
            goes through, and no file is left. By default all are final.

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

    _write(path, buffer.layout.shared, data(), metadata or {})
    return Digests(content.digest, of_moving)


def write_arrays(path: Path, arrays: Mapping[str, Array], metadata: Mapping[str, str] | None = None) -> str:
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
            array = np.ascontiguousarray(arrays[spec.name], spec.numpy_dtype)
            content.update(array.data)
            yield array

    _write(path, layout, data(), metadata or {})
    return content.digest


def read_model(path: Path) -> ParameterBuffer:
    """Read a safetensors file into memory; tensors that zfed did not write have the default kinds.

    Raises:
        CheckpointError: If it is missing, cannot be read, or is no valid safetensors file.
    """
    with _opened(path) as (file, header):
        return _read(file, header)


def map_model(path: Path, *, moving_only: bool = False) -> ParameterBuffer:
    """A read-only buffer over the file itself: it costs page cache, not memory of this process.

    The file may be renamed or deleted meanwhile, but must not be cut: that ends the process with SIGBUS.
    If its tensors do not lie as in a vector, it is read into memory instead. Files by zfed always can be
    mapped, but for one case: frozen tensors, which in a vector start at a boundary, in a file may not.

    Args:
        path: Any safetensors file.
        moving_only: Leave frozen tensors out; then every file by zfed is mapped.

    Raises:
        CheckpointError: As `read_model`.
    """
    with _opened(path) as (file, header):
        layout = header.layout.moving if moving_only else header.layout
        if header.data_start % GROUP_ALIGNMENT or any(
            spec.offset != header.offsets[spec.name] for spec in layout.tensors
        ):
            buffer = _read(file, header).read_only()
            return buffer.moving if moving_only else buffer
        mapping = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        # The array keeps the mapping alive
        return ParameterBuffer(layout, np.frombuffer(mapping, np.uint8, layout.nbytes, header.data_start))


def _write(path: Path, layout: ParameterLayout, data: Iterable[Array], metadata: Mapping[str, str]) -> None:
    header = encode_header(layout, metadata)
    nbytes = len(header) + sum(spec.nbytes for spec in layout.tensors)
    write_atomically(path, chain([header], (array.data for array in data)), nbytes)


@contextmanager
def _opened(path: Path) -> Iterator[tuple[BufferedReader, Header]]:
    with translated(f"cannot read {path}"):
        try:
            with open(path, "rb") as file:
                file_bytes = os.fstat(file.fileno()).st_size
                length = header_bytes(file.read(LENGTH_BYTES), file_bytes)
                yield file, decode_header(file.read(length), file_bytes)
        except CheckpointError as error:
            raise CheckpointError(f"{path} is not a valid model file: {error}") from error


def _read(file: BufferedReader, header: Header) -> ParameterBuffer:
    buffer = ParameterBuffer.zeros(header.layout)
    for spec in header.layout.tensors:
        file.seek(header.data_start + header.offsets[spec.name])
        target = buffer.data[spec.offset : spec.stop].data
        if file.readinto(target) != spec.nbytes:
            raise CheckpointError(f"it ended within tensor {spec.name!r} while it was read")
    return buffer
