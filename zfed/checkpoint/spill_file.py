"""Bytes that have no room in memory, on disk for as long as somebody works with them."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from zfed.checkpoint.os_errors import translated

Buffer: TypeAlias = "bytes | memoryview"

BLOCK_BYTES: Final = 1 << 20
"""Read at a time; what is read was mostly written a moment ago, and comes from the page cache."""


class SpillFile:
    """A file without a name: it is gone when nothing refers to it, also if the process is killed.

    All its room is taken when it is made. So a full disk is met before a byte is written, and never as a hole
    that nothing can fill. Parts may be written and read from different threads.

    Args:
        folder: On the disk that is to hold it.
        nbytes: Its length, at least 1.
        spare: Bytes of that disk that must stay free for others.

    Raises:
        CheckpointError: If there is no room; nothing is left.
    """

    def __init__(self, folder: Path, nbytes: int, *, spare: int = 0) -> None:
        kept = f" beside {spare / 1e6:,.1f} MB for the next version" if spare else ""
        failure = f"no room for {nbytes / 1e6:,.1f} MB{kept} in {folder}"
        with translated(failure, remedy=_room(folder)):
            if shutil.disk_usage(folder).free < nbytes + spare:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115  # closed by `close`, at the latest with the object
            self._descriptor = file.fileno()
            self.nbytes = nbytes
            close = weakref.finalize(self, file.close)
            try:
                os.posix_fallocate(self._descriptor, 0, nbytes)
            except OSError:
                close()
                raise

    def write(self, offset: int, data: Buffer) -> None:
        """Write bytes of the file.

        Raises:
            CheckpointError: If they cannot be written.
        """
        rest = memoryview(data)
        with translated(
            f"cannot write {len(rest)} of {self.nbytes / 1e6:,.1f} MB that memory has no room for"
        ):
            while rest:
                written = os.pwrite(self._descriptor, rest, offset)
                offset, rest = offset + written, rest[written:]

    def read(self, offset: int, nbytes: int) -> bytes:
        """Read bytes that were written; fewer at the end of the file.

        Raises:
            CheckpointError: If they cannot be read.
        """
        with translated(f"cannot read back {nbytes} bytes that memory had no room for"):
            return os.pread(self._descriptor, nbytes, offset)


@dataclass(frozen=True)
class SpilledPart:
    """A stretch of a file as slices, read from the disk each time they are gone through."""

    file: SpillFile
    start: int
    nbytes: int

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        """Yield (offset in the stretch, bytes), in order."""
        for offset in range(0, self.nbytes, BLOCK_BYTES):
            yield offset, self.file.read(self.start + offset, min(BLOCK_BYTES, self.nbytes - offset))

    def __len__(self) -> int:
        return -(-self.nbytes // BLOCK_BYTES)


def _room(folder: Path) -> str:
    try:
        return f"{shutil.disk_usage(folder).free / 1e6:,.1f} MB are free there"
    except OSError:
        return "free some"
