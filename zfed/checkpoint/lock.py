"""One process per run directory."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from zfed.checkpoint.os_errors import translated
from zfed.errors import CheckpointError


class FolderLock:
    """Holds a folder for this process, from construction until `close`, or until the process ends.

    The lock is the operating system's (flock on the file `lock`), so a killed process leaves none behind. On
    a network file system it may not reach other machines.

    Raises:
        CheckpointError: If another process, or another object of this one, holds the folder.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / "lock"
        with translated(f"cannot lock {folder}"):
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = os.read(self._descriptor, 32).decode(errors="replace").strip()
                os.close(self._descriptor)
                raise CheckpointError(f"{folder} is in use by process {holder or '(unknown)'}") from None
            # For the message above only; what counts is the lock
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def close(self) -> None:
        """Let the folder go; more than once does no harm."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
