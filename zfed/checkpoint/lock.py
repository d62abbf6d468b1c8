"""One process per run directory."""

from __future__ import annotations

from pathlib import Path

from zfed.checkpoint.disk import OS_DISK, Disk
from zfed.checkpoint.os_errors import translated
from zfed.errors import CheckpointError


class FolderLock:
    """Holds a folder for this process, from construction until `close`, or until the process ends.

    The lock is the operating system's, on the file `lock`, so a killed process leaves none behind.

    Raises:
        CheckpointError: If another process, or another object of this one, holds the folder.
    """

    def __init__(self, folder: Path, *, disk: Disk = OS_DISK) -> None:
        path = folder / "lock"
        with translated(f"cannot lock {folder}"):
            try:
                self._held = disk.lock(path)
            except BlockingIOError:
                holder = disk.read(path).decode(errors="replace").strip()
                raise CheckpointError(f"{folder} is in use by process {holder or '(unknown)'}") from None

    def close(self) -> None:
        """Let the folder go; more than once does no harm."""
        self._held.close()
