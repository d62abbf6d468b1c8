"""The journal of a run: what happened, in order, each line with a checksum.

A line is one JSON object whose first key is `crc`:
`{"crc":"6c957829","event":"joined","node":"alice","at":"1970-01-01T00:00:00Z"}`. The checksum is the CRC-32,
in eight hexadecimal digits, of the same line without it. So any JSON tool reads the journal, and
`read_journal` sees damage. `at` is the wall clock's time (UTC), for people: clocks are set, so nothing is
decided by it.
"""

from __future__ import annotations

import re
import shlex
import time
import zlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from zfed.checkpoint.atomic import write_atomically
from zfed.checkpoint.disk import OS_DISK, Disk
from zfed.checkpoint.line_file import LineFile
from zfed.checkpoint.os_errors import translated
from zfed.errors import CheckpointError

_LINE: Final = re.compile(rb'\{"crc":"([0-9a-f]{8})",(.+\})', re.DOTALL)

_ZEROS: Final = re.compile(rb"\0+")

SECTOR_BYTES: Final = 512
"""What every disk writes wholly or not at all; larger units are multiples of it."""

SYNCED: Final = frozenset({"created", "started", "committed", "evaluated", "ended"})
"""The events on which somebody relies, whose lines are synced before; the others are hints."""

UNNEEDED: Final = frozenset({"accepted"})
"""The events that only people read."""


class Journal:
    """Appends records to a journal; owned by one thread.

    Args:
        path: Made if it is not there.
        disk: Where it is.
        wall_clock: Seconds since 1970, for `at`.
    """

    def __init__(
        self, path: Path, *, disk: Disk = OS_DISK, wall_clock: Callable[[], float] = time.time
    ) -> None:
        self._lines = LineFile(path, disk=disk)
        self._wall_clock = wall_clock

    def append(self, record: Mapping[str, Any], *, sync: bool) -> None:
        """Append a record; with `sync` it is durable when this returns.

        Args:
            record: JSON-ready, without the keys "crc" and "at".
            sync: False for hints, which a power cut may take back.

        Raises:
            CheckpointError: If it cannot be written; see `LineFile`.
        """
        self._lines.append(encode_line(record, self._wall_clock()), sync=sync)

    @property
    def closed(self) -> bool:
        """True once nothing can be appended any more."""
        return self._lines.closed

    def close(self) -> None:
        """Close the file."""
        self._lines.close()


def encode_line(record: Mapping[str, Any], now: float) -> bytes:
    """A record as a line of a journal, without its newline; `now` as of the wall clock."""
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
    return record_line({**record, "at": at})


@dataclass(frozen=True)
class JournalContents:
    """What a journal holds.

    Attributes:
        records: In order, without their checksums.
        torn_bytes: Length of what was never finished at the end, 0 if there is none. It is no record: its
            writer died, or lost power, before anybody could rely on it.
        damage: Which line is damaged and how to drop it, "" if none is; the records are those before it.
    """

    records: list[dict[str, Any]]
    torn_bytes: int
    damage: str = ""


def read_journal(path: Path, *, disk: Disk = OS_DISK) -> JournalContents:
    """Read and check a journal.

    A last line without newline is torn: dropped, and said. So is all that follows a hole that a power cut has
    left in lines that were not synced. Another complete line whose checksum is wrong is damage, also when it
    is the last: somebody may have relied on it.

    Raises:
        CheckpointError: If the journal cannot be read or a line is damaged; with the command that drops it.
    """
    return _undamaged(_checked(path, _read(path, disk)))


def examine_journal(path: Path, *, disk: Disk = OS_DISK) -> JournalContents:
    """As `read_journal`, for whoever wants what there is of a damaged one, too.

    Raises:
        CheckpointError: If the journal cannot be read.
    """
    return _checked(path, _read(path, disk))


def settle_journal(path: Path, *, disk: Disk = OS_DISK) -> JournalContents:
    """Read and check a journal as `read_journal`, and leave it without a torn line, durably.

    It is written anew, whole: after a crash that followed a failed fsync, what is read back may be in the
    memory of this machine alone, and then no fsync would bring it to the disk any more. The records of
    `UNNEEDED` are left out of what is returned: in a long run most are, and take more memory than its model.

    Raises:
        CheckpointError: As `read_journal`, or if it cannot be written; then the journal is as it was.
    """
    content = _read(path, disk)
    contents = _undamaged(_checked(path, content, without=UNNEEDED))
    whole = memoryview(content)[: len(content) - contents.torn_bytes]
    write_atomically(path, [whole], len(whole), disk=disk)
    return contents


def _read(path: Path, disk: Disk) -> bytes:
    with translated(f"cannot read {path}"):
        return disk.read(path)


def _checked(path: Path, content: bytes, *, without: Collection[str] = ()) -> JournalContents:
    records: list[dict[str, Any]] = []
    whole = 0
    *lines, _ = content.split(b"\n")
    for number, line in enumerate(lines, start=1):
        record = checked_record(line)
        if record is None:
            if _never_written(content, whole):
                break
            return JournalContents(records, 0, _damage(path, number))
        if record.get("event") not in without:
            records.append(record)
        whole += len(line) + 1
    return JournalContents(records, len(content) - whole)


def _undamaged(contents: JournalContents) -> JournalContents:
    if contents.damage:
        raise CheckpointError(contents.damage)
    return contents


def _never_written(content: bytes, start: int) -> bool:
    """True if a power cut took back lines from `start` on, although some that were appended later are there.

    A disk writes the sectors of what was not synced in any order, and zeros, which no line has, stand where
    it did not get to. A line that was synced proves that all before it was on the disk: then it is damage.
    """
    ends = (hole.end() for hole in _ZEROS.finditer(content, start))
    holes = any(end % SECTOR_BYTES == 0 or end == len(content) for end in ends)
    rest = content[start:].split(b"\n")
    return holes and not any((checked_record(line) or {}).get("event") in SYNCED for line in rest)


def record_line(record: Mapping[str, Any]) -> bytes:
    """A record with its checksum, without a newline: what `checked_record` reads."""
    body = orjson.dumps(dict(record))
    return b'{"crc":"%08x",%b' % (zlib.crc32(body), body[1:])


def checked_record(line: bytes) -> dict[str, Any] | None:
    """What a journal's line, given without its newline, says; None if it is damaged."""
    match = _LINE.fullmatch(line)
    if match is None:
        return None
    body = b"{" + match[2]
    if zlib.crc32(body) != int(match[1], 16):
        return None
    try:
        record: dict[str, Any] = orjson.loads(body)
    except orjson.JSONDecodeError:  # a checksum that fits by chance, or by intent
        return None
    return record


def _damage(path: Path, number: int) -> str:
    if number == 1:
        return (
            f"line 1 of {path} is damaged: its checksum is wrong, and no run can be resumed without it. The"
            f" models are still in {path.parent / 'models'}: begin a new run with --run DIR --initial FILE"
        )
    journal, kept = shlex.quote(str(path)), shlex.quote(f"{path}.damaged")
    return (
        f"line {number} of {path} is damaged: its checksum is wrong. To drop it and all that follows:"
        f" mv {journal} {kept} && head -n {number - 1} {kept} > {journal}"
    )
