"""`metrics.jsonl` after a stop: exactly the lines of what counts.

A process can die between a journal line and the line of metrics that belongs to it, and a version that was
committed can be taken back. So each start makes the file anew from the journal, which holds each line's
content under `metrics`, but for the numbers of single workers: they are kept where the file has them. What
was measured until the version was on disk, the journal's line, which is written with it, cannot know.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

import orjson

from zfed.checkpoint.history import Line

_KNOWN_LATER: Final = ("per_worker", "seconds", "bytes_down", "bytes_up")

_Key: TypeAlias = "tuple[str, str, str]"


def mended_metrics(content: bytes, lines: Iterable[Line]) -> bytes:
    """What the file should hold.

    Args:
        content: What it holds; a torn last line, lines that are no records, lines of nothing that counts and
            lines that differ from the journal's are dropped, each record is there once.
        lines: The journal's lines that count, in their order.
    """
    found: dict[_Key, bytes] = {}
    for line in content.split(b"\n")[:-1]:
        record = _record(line)
        if record is not None:
            found.setdefault(_key(record), line)
    wanted = {_key(line["metrics"]): line["metrics"] for line in lines if line.get("metrics")}
    mended = [_mended(found.get(key, b""), metrics) + b"\n" for key, metrics in wanted.items()]
    return b"".join(mended)


def _mended(line: bytes, metrics: Mapping[str, Any]) -> bytes:
    record = _record(line) or {}
    same = all(record.get(name) == value for name, value in metrics.items() if name not in _KNOWN_LATER)
    return line if same else orjson.dumps(metrics)


def _record(line: bytes) -> dict[str, Any] | None:
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return record if isinstance(record, dict) else None


def _key(record: Mapping[str, Any]) -> _Key:
    return str(record.get("event")), str(record.get("round")), str(record.get("subject"))
