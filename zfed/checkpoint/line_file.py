"""A file of lines that only ever grows, whole line by whole line."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Final

from zfed.checkpoint.disk import OS_DISK, Disk
from zfed.checkpoint.os_errors import translated
from zfed.errors import CheckpointError

_START_AGAIN: Final = "start the same command again"


class LineFile:
    """Appends lines; each is with the operating system when `append` returns, so it outlives the process.

    An append that finds the disk full takes back what it wrote, and a later one may succeed. One that cannot
    be taken back, or whose fsync fails, closes the file: nobody knows then what is on the disk, so nothing
    may be written after it.

    Args:
        path: Made if it is not there; its folder must be.
        disk: Where it is.

    Raises:
        CheckpointError: If it cannot be opened.
    """

    def __init__(self, path: Path, *, disk: Disk = OS_DISK) -> None:
        self.path = path
        self._closed = False
        with translated(f"cannot open {path}"):
            self._file = disk.append(path)

    def append(self, line: bytes, *, sync: bool = False) -> None:
        """Append one line, given without its newline; with `sync` it also outlives a power cut.

        Raises:
            CheckpointError: If it cannot be written, or the file is closed. The line is not there then, but
                where the message says that nobody knows.
        """
        if self._closed:
            raise CheckpointError(f"{self.path} is closed; {_START_AGAIN}")
        with translated(f"cannot write {self.path}"):
            before = self._file.size
            try:
                self._file.write(line + b"\n")
            except OSError:
                self._take_back(before)
                raise
        if sync:
            self._sync(before)

    @property
    def closed(self) -> bool:
        """True once nothing can be appended any more."""
        return self._closed

    def close(self) -> None:
        """Close the file; more than once does no harm."""
        self._closed = True
        self._file.close()

    def _take_back(self, size: int) -> None:
        try:
            self._file.truncate(size)
        except OSError:
            self.close()

    def _sync(self, before: int) -> None:
        failure = f"cannot make {self.path} durable, and nobody knows what of it is on the disk"
        with translated(failure, remedy=_START_AGAIN):
            try:
                self._file.sync()
            except OSError:
                with suppress(OSError):
                    self._file.truncate(before)  # so that the next start is likely to find what was told
                self.close()
                raise
