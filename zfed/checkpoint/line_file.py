"""A file of lines that only ever grows, whole line by whole line."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from zfed.checkpoint.os_errors import translated
from zfed.errors import CheckpointError


class LineFile:
    """Appends lines; each is with the operating system when `append` returns, so it outlives the process.

    An append that fails (a full disk) takes back what it wrote and closes the file: after a failed write or
    fsync nobody knows what is on the disk, so nothing may be written on top of it.

    Args:
        path: Made if it is not there; its folder must be.

    Raises:
        CheckpointError: If it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with translated(f"cannot open {path}"):
            # No buffer of Python's: a buffered line would be lost with the process
            self._file = open(path, "ab", buffering=0)  # noqa: SIM115  # closed by `close`

    def append(self, line: bytes, *, sync: bool = False) -> None:
        """Append one line, given without its newline; with `sync` it also outlives a power cut.

        Raises:
            CheckpointError: If it cannot be written, or the file is closed.
        """
        if self._file.closed:
            raise CheckpointError(f"{self.path} is closed; after a failed write a run must be resumed")
        before = os.fstat(self._file.fileno()).st_size
        try:
            with translated(f"cannot write {self.path}"):
                self._write_whole(line + b"\n")
                if sync:
                    os.fsync(self._file.fileno())
        except CheckpointError:
            with suppress(OSError):
                self._file.truncate(before)
            self.close()
            raise

    def close(self) -> None:
        """Close the file; more than once does no harm."""
        self._file.close()

    def _write_whole(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:  # a nearly full disk takes a part and refuses only the next write
            rest = rest[self._file.write(rest) :]
