"""The journal of a run: lines with checksums, as they are and with checksums that fit."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

from tests.fuzz.bytes_disk import BytesDisk
from tests.fuzz.target import Target
from zfed.checkpoint import read_journal
from zfed.checkpoint.history import History
from zfed.checkpoint.journal import examine_journal, record_line
from zfed.errors import CheckpointError

PATH = Path("journal.jsonl")


def read(data: bytes) -> None:
    """Read a journal that somebody changed, and one that somebody forged: the latter as a run's past, too."""
    contents = examine_journal(PATH, disk=BytesDisk(data))
    assert len(contents.records) <= data.count(b"\n")
    sealed = b"".join(_sealed(line) for line in data.split(b"\n") if line)
    past = History(read_journal(PATH, disk=BytesDisk(sealed)).records, where=PATH)
    assert len(past.owed) <= len(data)


def _sealed(line: bytes) -> bytes:
    """A line with the checksum of what it holds."""
    body = b"{" + line.partition(b",")[2] if line.startswith(b'{"crc"') else line
    return b'{"crc":"%08x",%b\n' % (zlib.crc32(body), body[1:])


def seeds() -> list[bytes]:
    """A run with a round and its evaluation, resumed once."""
    at = {"at": "1970-01-01T00:00:00Z"}
    evaluation = {"subject": "federated", "assignment": [1, 2], "model": ""}
    metrics = {"accuracy": 0.5}
    records: list[dict[str, Any]] = [
        {"event": "created", "key": "0" * 32, "config": "sha256:" + "0" * 64},
        {"event": "started", "incarnation": 1, "version": -1},
        {"event": "joined", "node": "alice", "kind": "worker", "examples": 1, "rejoined": False},
        {
            "event": "committed",
            "version": 1,
            "model": "x",
            "state": "",
            "round": 1,
            "evaluations": [evaluation],
        },
        {"event": "evaluated", "round": 1, "subject": "federated", "metrics": metrics},
        {"event": "started", "incarnation": 2, "version": 0},
        {"event": "ended", "status": "completed", "version": 1},
    ]
    whole = b"".join(record_line({**record, **at}) + b"\n" for record in records)
    return [whole]


TARGET = Target("journal", read, (CheckpointError,), seeds)
