"""Files that are there whole or not at all, whatever happens while they are written."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from zfed.checkpoint.disk import OS_DISK, Bytes, Disk
from zfed.checkpoint.os_errors import translated

_TEMPORARY: Final = re.compile(r"\..+\.[0-9a-f]{8}\.tmp")


def write_atomically(path: Path, chunks: Iterable[Bytes], nbytes: int, *, disk: Disk = OS_DISK) -> None:
    """Write a file under a temporary name beside `path`, make it durable, then rename it.

    A file already at `path` is replaced in one step: readers see the old or the new one, never a part. After
    a power cut `path` is the new file if this function has returned.

    Args:
        path: Its folder must be there.
        chunks: The content, in order; views are contiguous and of single bytes.
        nbytes: Length of the content, for the message if it does not fit.
        disk: Where it is written.

    Raises:
        CheckpointError: If it cannot be written; no temporary file is left.
    """
    temporary = _temporary(path)
    with translated(f"cannot write {path}", remedy=f"{nbytes} bytes are needed{_room(path.parent, disk)}"):
        file = disk.create(temporary)
        try:
            try:
                for chunk in chunks:
                    file.write(chunk)
                file.sync()
            finally:
                file.close()
            disk.replace(temporary, path)
        except BaseException:
            with suppress(OSError):
                disk.remove(temporary)
            raise
        disk.sync_folder(path.parent)


def link_atomically(source: Path, path: Path, *, disk: Disk = OS_DISK) -> None:
    """Give a file that is never changed a second name, in one step and durably; it takes no room.

    Raises:
        OSError: If the file system has no links, or it cannot be done; a file at `path` still is.
    """
    temporary = _temporary(path)
    disk.link(source, temporary)
    try:
        disk.replace(temporary, path)
    finally:
        with suppress(FileNotFoundError):
            disk.remove(temporary)  # replacing one name of a file by another leaves both
    disk.sync_folder(path.parent)


def is_temporary(name: str) -> bool:
    """True for the name of a file that was never finished: its writer died."""
    return _TEMPORARY.fullmatch(name) is not None


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")


def _room(folder: Path, disk: Disk) -> str:
    try:
        return f", {disk.free(folder)} are free"
    except OSError:
        return ""
