"""Child processes: started, listened to line by line, and ended in order.

One thread does all of it. A child's lines are passed on as they come; nothing but these children is ever
signalled, each in a session of its own so that Ctrl-C reaches them only through `Fleet.stop`.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, TypeAlias
from urllib.parse import quote

from zfed.errors import CheckpointError

OnLine: TypeAlias = Callable[["Child", str], None]

STOP_LADDER = ((signal.SIGINT, 3.0), (signal.SIGTERM, 1.0), (signal.SIGKILL, 0.5))
"""What a child that is to end gets, and the seconds it then has; together within 5 s."""

_LOOK_S = 0.1
"""How often to look for children that have ended; lines are passed on at once."""


class Child:
    """A process and the last line of its standard error, where a command says why it failed."""

    def __init__(self, name: str, process: subprocess.Popen[bytes]) -> None:
        self.name = name
        self.process = process
        self.last_error = ""

    @property
    def exit_code(self) -> int | None:
        """None while it runs; minus the signal's number if one killed it."""
        return self.process.poll()


class Fleet:
    """The children. On leaving the context all that still run are ended.

    Args:
        logs: Folder for a log of each child; made if need be.
        on_line: Called with each line a child writes, without its newline.
    """

    def __init__(self, logs: Path, on_line: OnLine) -> None:
        self.children: list[Child] = []
        self._told: list[Child] = []  # ended, and returned by wait()
        self._logs = logs
        self._on_line = on_line
        self._selector = selectors.DefaultSelector()
        self._streams: list[_Stream] = []

    def __enter__(self) -> Fleet:
        """Make the folder of the logs.

        Raises:
            CheckpointError: If it cannot be made.
        """
        try:
            self._logs.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CheckpointError(
                f"cannot make {self._logs} for the logs: {error.strerror}; "
                "choose a run directory in a folder you can write to: --run DIR"
            ) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.stop()
        finally:
            self._signal_running(signal.SIGKILL)  # if the stop was itself interrupted
            for stream in self._streams:
                stream.close()
            self._selector.close()

    def start(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> Child:
        """Start a child; its output goes to `<name>.log` and to `on_line`."""
        log = open(self.log_path(name), "ab", opener=_without_links)  # noqa: SIM115  # until the child ends
        process = subprocess.Popen(
            command,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        child = Child(name, process)
        self.children.append(child)
        for pipe in (process.stdout, process.stderr):
            assert pipe is not None
            stream = _Stream(child, pipe, log, is_error=pipe is process.stderr)
            self._streams.append(stream)
            self._selector.register(pipe, selectors.EVENT_READ, stream)
        return child

    def log_path(self, name: str) -> Path:
        """Where the lines of the child of this name are kept."""
        return self._logs / f"{quote(name, safe=' ')}.log"  # no name may become a path

    def move_logs(self, folder: Path) -> None:
        """Put the logs elsewhere on the same file system, into a folder that is not there yet."""
        self._logs.rename(folder)  # open files follow
        self._logs = folder

    def wait(self, timeout_s: float = float("inf")) -> Child | None:
        """Pass lines on until a child has ended, and return it, each once; None when the time is over."""
        deadline = time.monotonic() + timeout_s
        while (left := deadline - time.monotonic()) > 0:
            for child in self.children:
                if child.exit_code is not None and child not in self._told:
                    self._hear_last_words()
                    self._told.append(child)
                    return child
            self._listen(min(left, _LOOK_S))
        return None

    def listen_until(self, condition: Callable[[], bool], timeout_s: float) -> None:
        """Pass lines on until the condition holds or the time is over, whoever ends meanwhile."""
        deadline = time.monotonic() + timeout_s
        while not condition() and (left := deadline - time.monotonic()) > 0:
            self._listen(min(left, _LOOK_S))

    def running(self) -> list[Child]:
        """Children that have not ended."""
        return [child for child in self.children if child.exit_code is None]

    def stop(self) -> None:
        """End all children, gently first; returns when none runs."""
        for number, patience_s in STOP_LADDER:
            self._signal_running(number)
            deadline = time.monotonic() + patience_s
            while self.running() and (left := deadline - time.monotonic()) > 0:
                self.wait(left)
            if not self.running():
                break
        self._hear_last_words()

    def _signal_running(self, number: signal.Signals) -> None:
        for child in self.running():
            if number is signal.SIGKILL:
                # With its own children. The group is its own: it runs, so its number cannot be another's yet.
                os.killpg(child.process.pid, number)
            else:
                child.process.send_signal(number)

    def _hear_last_words(self) -> None:
        while self._listen(0):
            pass

    def _listen(self, timeout_s: float) -> bool:
        """Pass on what children have written, waiting up to the timeout; False if there was nothing."""
        if not self._selector.get_map():
            time.sleep(timeout_s)
            return False
        ready = self._selector.select(timeout_s)
        for key, _ in ready:
            stream: _Stream = key.data
            lines, open = stream.read()
            if not open:
                self._selector.unregister(key.fileobj)
            for line in lines:
                if stream.is_error and line:
                    stream.child.last_error = line
                self._on_line(stream.child, line)
        return bool(ready)


class _Stream:
    """One of a child's pipes: cuts what comes into lines, and keeps a copy in the log."""

    def __init__(self, child: Child, pipe: IO[bytes], log: IO[bytes], *, is_error: bool) -> None:
        self.child = child
        self.is_error = is_error
        self._pipe = pipe
        self._log = log
        self._partial = b""

    def read(self) -> tuple[list[str], bool]:
        """The lines that are now complete, and False if the pipe has ended."""
        data = os.read(self._pipe.fileno(), 1 << 16)
        *whole, self._partial = (self._partial + data).split(b"\n")
        if not data and self._partial:
            whole, self._partial = [self._partial], b""
        # Whole lines only: two pipes share the log, and a line of one must not be cut by one of the other.
        self._log.write(b"".join(line + b"\n" for line in whole))
        self._log.flush()
        return [line.decode("utf-8", "replace").rstrip("\r") for line in whole], bool(data)

    def close(self) -> None:
        self._pipe.close()
        self._log.close()


def _without_links(path: str, flags: int) -> int:
    """Where another user may write, a log's name could be a link to a file of this user's."""
    return os.open(path, flags | os.O_NOFOLLOW, 0o666)
