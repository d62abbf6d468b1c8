"""The real disk, some of whose calls fail as those of a broken one do."""

import errno
import os
from pathlib import Path

from zfed.checkpoint.disk import Bytes, DiskFile, OsDisk


class FaultyDisk(OsDisk):
    """Fails the calls whose names are in `failing`, of files and of the disk itself."""

    def __init__(self) -> None:
        super().__init__()
        self.failing: set[str] = set()

    def check(self, call: str) -> None:
        if call in self.failing:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    def read(self, path: Path) -> bytes:
        self.check("read")
        return super().read(path)

    def link(self, source: Path, path: Path) -> None:
        self.check("link")
        super().link(source, path)

    def remove(self, path: Path) -> None:
        self.check("remove")
        super().remove(path)

    def create(self, path: Path) -> DiskFile:
        return _FaultyFile(self, super().create(path))

    def append(self, path: Path) -> DiskFile:
        return _FaultyFile(self, super().append(path))


class _FaultyFile:
    def __init__(self, disk: FaultyDisk, file: DiskFile) -> None:
        self._disk = disk
        self._file = file

    @property
    def size(self) -> int:
        return self._file.size

    def write(self, data: Bytes) -> None:
        if "write" in self._disk.failing:
            self._file.write(data[: len(data) // 2])  # as a full disk does
        self._disk.check("write")
        self._file.write(data)

    def sync(self) -> None:
        self._disk.check("sync")
        self._file.sync()

    def truncate(self, size: int) -> None:
        self._disk.check("truncate")
        self._file.truncate(size)

    def close(self) -> None:
        self._file.close()
