"""A disk on which every file holds the same bytes."""

from __future__ import annotations

from pathlib import Path

from zfed.checkpoint.disk import OsDisk


class BytesDisk(OsDisk):
    """Whatever file is read, these are its bytes; nothing can be written.

    Args:
        content: Of every file.
    """

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self._content = content

    def read(self, path: Path) -> bytes:
        """As `Disk.read`."""
        return self._content

    def map(self, path: Path) -> memoryview:
        """As `Disk.map`."""
        return memoryview(self._content)
