"""The journal of a run: what happened, in order, each line with a checksum.

A line is one JSON object whose first key is `crc`: `{"crc":"1f0a22b4","event":"joined","node":"alice"}`. The
checksum is the CRC-32, in eight hexadecimal digits, of the same line without it:
`{"event":"joined","node":"alice"}`. So any JSON tool reads the journal, and `read_journal` sees damage.
"""

from __future__ import annotations

import re
import shlex
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from zfed.checkpoint.disk import OS_DISK, Disk
from zfed.checkpoint.line_file import LineFile
from zfed.checkpoint.os_errors import translated
from zfed.errors import CheckpointError

_LINE: Final = re.compile(rb'\{"crc":"([0-9a-f]{8})",(.+\})', re.DOTALL)


class Journal:
    """Appends records to a journal; owned by one thread.

    Args:
        path: Made if it is not there.
        disk: Where it is.
    """

    def __init__(self, path: Path, *, disk: Disk = OS_DISK) -> None:
        self._lines = LineFile(path, disk=disk)

    def append(self, record: Mapping[str, Any], *, sync: bool) -> None:
        """Append a record; with `sync` it is durable when this returns.

        Args:
            record: JSON-ready, with at least one key, none of them "crc".
            sync: False for hints, which a power cut may take back.

        Raises:
            CheckpointError: If it cannot be written; see `LineFile`.
        """
        body = orjson.dumps(dict(record))
        self._lines.append(b'{"crc":"%08x",%b' % (zlib.crc32(body), body[1:]), sync=sync)

    def close(self) -> None:
        """Close the file."""
        self._lines.close()


@dataclass(frozen=True)
class JournalContents:
    """What a journal holds.

    Attributes:
        records: In order, without their checksums.
        torn_bytes: Length of a last line that was never finished, 0 if there is none. It is no record: its
            writer died, or lost power, before anybody could rely on it.
    """

    records: list[dict[str, Any]]
    torn_bytes: int


def read_journal(path: Path, *, disk: Disk = OS_DISK) -> JournalContents:
    """Read and check a journal.

    A last line without newline is torn: dropped, and said. A complete line whose checksum is wrong is
    damage, also when it is the last: somebody may have relied on it.

    Raises:
        CheckpointError: If the journal cannot be read or a line is damaged; with the command that drops it.
    """
    records: list[dict[str, Any]] = []
    with translated(f"cannot read {path}"):
        *lines, torn = disk.read(path).split(b"\n")
    for number, line in enumerate(lines, start=1):
        record = checked_record(line)
        if record is None:
            raise CheckpointError(_damage(path, number))
        records.append(record)
    return JournalContents(records, len(torn))


def checked_record(line: bytes) -> dict[str, Any] | None:
    """What a journal's line, given without its newline, says; None if it is damaged."""
    match = _LINE.fullmatch(line)
    if match is None:
        return None
    body = b"{" + match[2]
    if zlib.crc32(body) != int(match[1], 16):
        return None
    record: dict[str, Any] = orjson.loads(body)
    return record


def _damage(path: Path, number: int) -> str:
    journal, kept = shlex.quote(str(path)), shlex.quote(f"{path}.damaged")
    return (
        f"line {number} of {path} is damaged: its checksum is wrong. To drop it and all that follows:"
        f" mv {journal} {kept} && head -n {number - 1} {kept} > {journal}"
    )
