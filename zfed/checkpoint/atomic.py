"""Files that are there whole or not at all, whatever happens while they are written."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterable
from pathlib import Path

from zfed.checkpoint.os_errors import translated


def write_atomically(path: Path, chunks: Iterable[bytes | memoryview], nbytes: int) -> None:
    """Write a file under a temporary name beside `path`, make it durable, then rename it.

    A file already at `path` is replaced in one step: readers see the old or the new one, never a part. After
    a power cut `path` is the new file if this function has returned.

    Args:
        path: Its folder must be there.
        chunks: The content, in order; views are contiguous.
        nbytes: Length of the content, for the message if it does not fit.

    Raises:
        CheckpointError: If it cannot be written; no temporary file is left.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    with translated(f"cannot write {path}", remedy=f"{nbytes} bytes are needed{_room(path.parent)}"):
        try:
            with open(temporary, "xb") as file:
                for chunk in chunks:
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


def link_atomically(source: Path, path: Path) -> None:
    """Give a file that is never changed a second name, in one step and durably; it takes no room.

    Raises:
        OSError: If the file system has no links, or it cannot be done; a file at `path` still is.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    os.link(source, temporary)
    try:
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)  # replacing one name of a file by another leaves both
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable: a rename or a new file is only so once its folder is synced."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _room(folder: Path) -> str:
    try:
        return f", {shutil.disk_usage(folder).free} are free"
    except OSError:
        return ""
