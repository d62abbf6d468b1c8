"""The last lines of a file that only grows, found without reading what comes before them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import BinaryIO, Final

BLOCK_BYTES: Final = 1 << 20
"""Read at a time."""


def lines_from_end(
    file: BinaryIO, marker: bytes, *, block_bytes: int = BLOCK_BYTES
) -> Iterator[tuple[int, bytes]]:
    r"""Yield (offset, line) of each whole line that holds `marker`, the last one first.

    Args:
        file: Open for reading; others may append to it meanwhile.
        marker: At least one byte; `b"\n"` finds every line.
        block_bytes: Read at a time, at least as many as the marker has.
    """
    end = file.seek(0, os.SEEK_END)
    while (found := _last(file, marker, end, block_bytes)) >= 0:
        start = _last(file, b"\n", found, block_bytes) + 1
        file.seek(start)
        line = file.readline()
        if line.endswith(b"\n"):  # else it was never finished
            yield start, line
        end = start


def _last(file: BinaryIO, marker: bytes, end: int, block_bytes: int) -> int:
    """Where `marker` last stands before `end`, -1 if nowhere."""
    while end > 0:
        start = max(0, end - block_bytes)
        file.seek(start)
        found = file.read(end - start).rfind(marker)
        if found >= 0:
            return start + found
        # It may stand across the border of two blocks
        end = start + len(marker) - 1 if start else 0
    return -1
