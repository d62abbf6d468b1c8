"""Bytes that have no room in memory, on disk for as long as somebody works with them."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from zfed.checkpoint.disk import OS_DISK, Bytes, Disk
from zfed.checkpoint.os_errors import translated

BLOCK_BYTES: Final = 1 << 20
"""Read at a time; what is read was mostly written a moment ago, and comes from the page cache."""


class SpillFile:
    """A file without a name: it is gone when nothing refers to it, also if the process is killed.

    All its room is taken when it is made, so a full disk is met before a byte is written. Parts may be
    written and read from different threads.

    Args:
        folder: On the disk that is to hold it.
        nbytes: Its length, at least 1.
        spare: Bytes of that disk that must stay free for others.
        disk: Where the folder is.

    Raises:
        CheckpointError: If there is no room; nothing is left.
    """

    def __init__(self, folder: Path, nbytes: int, *, spare: int = 0, disk: Disk = OS_DISK) -> None:
        kept = f" beside {spare / 1e6:,.1f} MB for the next version" if spare else ""
        failure = f"no room for {nbytes / 1e6:,.1f} MB{kept} in {folder}"
        with translated(failure, remedy=_room(folder, disk)):
            if disk.free(folder) < nbytes + spare:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self._file = disk.scratch(folder, nbytes)
        self.nbytes = nbytes

    def write(self, offset: int, data: Bytes) -> None:
        """Write bytes of the file.

        Raises:
            CheckpointError: If they cannot be written.
        """
        failure = f"cannot write {len(data)} of {self.nbytes / 1e6:,.1f} MB that memory has no room for"
        with translated(failure):
            self._file.write_at(offset, data)

    def read(self, offset: int, nbytes: int) -> bytes:
        """Read bytes that were written; fewer at the end of the file.

        Raises:
            CheckpointError: If they cannot be read.
        """
        with translated(f"cannot read back {nbytes} bytes that memory had no room for"):
            return self._file.read_at(offset, nbytes)


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


def _room(folder: Path, disk: Disk) -> str:
    try:
        return f"{disk.free(folder) / 1e6:,.1f} MB are free there"
    except OSError:
        return "free some"
