"""Spans of a node's time, appended to a file that Perfetto and chrome://tracing open.

The format is the "JSON Array Format" of the Trace Event Format
(docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU). There the closing `]` may be left
out, for the sake of programs that do not live to write it: Perfetto takes a file that ends inside the array
(its `JsonTraceTokenizer`), and chrome://tracing drops a last comma and adds the bracket (catapult's
`TraceEventImporter`). So nothing is ever written but `[` and one whole line per event. Whatever kills a node
leaves a file that opens; a node that starts again, and other nodes of the same machine, add to the same file.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import secrets
import threading
import time
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import orjson

from zfed.errors import UsageError

log = logging.getLogger(__name__)

_OPENING = b"[\n"


def wall_clock() -> Callable[[], int]:
    """A clock of whole microseconds since 1970 that never goes back.

    It starts at the wall clock, so that files of several machines fit together as well as their clocks do;
    from then on it counts what has passed, so that a clock that is set meanwhile makes no span negative.
    """
    _, offset = min(_offset_between_clocks() for _ in range(5))
    return lambda: (offset + time.monotonic_ns()) // 1000


def _offset_between_clocks() -> tuple[int, int]:
    """How long it took to look at both clocks, which bounds the error, and by how much they differ (ns)."""
    before, wall, after = time.monotonic_ns(), time.time_ns(), time.monotonic_ns()
    return after - before, wall - (before + after) // 2


@dataclass(frozen=True)
class _Open:
    row: int
    name: str
    began_us: int
    facts: dict[str, Any]


class Trace:
    """One start of one node, as spans in rows. All methods may be called from any thread.

    Spans of one row must not overlap but by nesting. A file that cannot be written any more, as on a full
    disk, is given up with one warning: a trace never ends a run.

    Args:
        path: Where to append; begun if it is not there.
        process: The name that a viewer shows for this node.
        clock: Whole microseconds; by default `wall_clock()`.

    Raises:
        UsageError: If the file cannot be written, or holds something else than a trace.
    """

    def __init__(self, path: Path, process: str, *, clock: Callable[[], int] | None = None) -> None:
        self._clock = clock or wall_clock()
        self._path = path
        self._lock = threading.Lock()
        self._rows: dict[str, int] = {}
        self._spans: dict[Hashable, _Open] = {}
        self._descriptor = _opened(path)
        # Not the system's number: in containers on several machines all nodes may be process 1.
        self._process = secrets.randbelow(1 << 31)
        self._name("process_name", process)

    def __enter__(self) -> Trace:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def begin(self, key: Hashable, row: str, name: str, **facts: Any) -> None:
        """A span begins now, unless one of this key is open. `facts` are shown beside it."""
        with self._lock:
            if key not in self._spans:
                self._spans[key] = _Open(self._row(row), name, self._clock(), facts)

    def end(self, key: Hashable, **facts: Any) -> None:
        """The span of this key ends now and is written; nothing happens if there is none."""
        with self._lock:
            span = self._spans.pop(key, None)
            if span is None:
                return
            event = {
                "ph": "X",  # a complete event: its beginning and how long it took
                "name": span.name,
                "pid": self._process,
                "tid": span.row,
                "ts": span.began_us,
                "dur": self._clock() - span.began_us,
                "args": {**span.facts, **facts},
            }
            self._write(event)

    @contextlib.contextmanager
    def span(self, row: str, name: str, **facts: Any) -> Iterator[dict[str, Any]]:
        """A span as long as the context; what is put into the dict that it yields is shown beside it."""
        key, more = object(), dict[str, Any]()
        self.begin(key, row, name, **facts)
        try:
            yield more
        finally:
            self.end(key, **more)

    def close(self) -> None:
        """End all spans that are open, and the file; more than once does no harm."""
        for key in list(self._spans):
            self.end(key, outcome="unfinished")
        with self._lock:
            self._stop()

    def _row(self, name: str) -> int:
        """The number of a row, which is named when it is first used."""
        if name not in self._rows:
            self._rows[name] = len(self._rows) + 1
            self._name("thread_name", name, row=self._rows[name])
        return self._rows[name]

    def _name(self, what: str, name: str, *, row: int = 0) -> None:
        self._write({"ph": "M", "name": what, "pid": self._process, "tid": row, "args": {"name": name}})

    def _write(self, event: dict[str, Any]) -> None:
        if self._descriptor < 0:
            return
        line = orjson.dumps(event) + b",\n"
        try:
            # One write to a file opened with O_APPEND: a line of another process cannot come into its middle.
            written = os.write(self._descriptor, line)
        except OSError as error:
            self._give_up(error.strerror or str(error))
        else:
            if written < len(line):
                os.ftruncate(self._descriptor, os.fstat(self._descriptor).st_size - written)
                self._give_up("the disk is full")

    def _give_up(self, reason: str) -> None:
        log.warning("no more is traced to %s: %s", self._path, reason)
        self._stop()

    def _stop(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def open_trace(path: str, process: str) -> Trace | None:
    """The trace that a setting asks for; None if it is empty.

    Raises:
        UsageError: If the file cannot be written, or holds something else than a trace.
    """
    return Trace(Path(path), process) if path else None


def renew_trace(path: Path) -> None:
    """Begin an empty trace, in the place of an earlier run's if there is one.

    Raises:
        UsageError: If the file cannot be written, or holds something else than a trace.
    """
    with _said_of(path), contextlib.suppress(FileNotFoundError):
        with path.open("rb") as file:
            _check_beginning(path, file.read(len(_OPENING)))
        path.unlink()
    os.close(_opened(path))


def _opened(path: Path) -> int:
    with _said_of(path):
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        with _said_of(path):
            fcntl.flock(descriptor, fcntl.LOCK_EX)  # several nodes may find the file empty at once
            _check_beginning(path, os.pread(descriptor, len(_OPENING), 0))
            if os.fstat(descriptor).st_size == 0:
                os.write(descriptor, _OPENING)
            fcntl.flock(descriptor, fcntl.LOCK_UN)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _check_beginning(path: Path, beginning: bytes) -> None:
    if beginning not in (b"", _OPENING):
        raise UsageError(f"--trace {path}: the file is there already and is no trace; choose another name")


@contextlib.contextmanager
def _said_of(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UsageError(f"--trace {path}: cannot be written: {error.strerror}") from error
