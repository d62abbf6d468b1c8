"""A command of the node's owner that says whether the node can work now: on mains, on a fast link, idle."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import threading
import time
from typing import Final

from zfed.errors import UsageError

_LOOK_S: Final = 0.1
"""How often to look whether the node ends, while the command runs."""


class ReadyCommand:
    """Exit code 0 means ready. No shell reads it: for a pipe, write `sh -c '...'`.

    Args:
        text: The command and its arguments, quoted as for a shell.
        timeout_s: Seconds that it has; then it is killed, with all that it started.

    Raises:
        UsageError: If there is no such command.
    """

    def __init__(self, text: str, timeout_s: float) -> None:
        try:
            self._words = shlex.split(text)
        except ValueError as error:
            raise UsageError(f"--ready-command {text!r}: {error}") from None
        command = self._words[0] if self._words else ""
        if shutil.which(command) is None:
            raise UsageError(
                f"--ready-command {text!r}: there is no command {command!r} that can be run; give its path, "
                "and write sh -c '...' for what only a shell understands"
            )
        self._timeout_s = timeout_s

    def unready(self, closing: threading.Event) -> str:
        """Run it: empty if this node is ready, else the last line that the command wrote, or what it did.

        It is killed, too, when `closing` is set.
        """
        try:
            process = subprocess.Popen(
                self._words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # so that it can be ended with its children, and Ctrl-C is not for it
            )
        except OSError as error:
            return f"its ready command cannot be run: {error.strerror}"
        deadline = time.monotonic() + self._timeout_s
        while True:
            try:
                written, _ = process.communicate(timeout=_LOOK_S)
                break
            except subprocess.TimeoutExpired:
                if closing.is_set() or time.monotonic() >= deadline:
                    _kill(process)
                    return f"its ready command did not end within {self._timeout_s:g} s"
        if process.returncode == 0:
            return ""
        lines = written.decode("utf-8", "replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return last or f"its ready command ended with exit code {process.returncode}"


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a command that is its session's first process, and what is left of that session."""
    with contextlib.suppress(ProcessLookupError):  # it has just ended
        os.killpg(process.pid, signal.SIGKILL)
    if process.stdout is not None:
        process.stdout.close()  # without waiting for its end: who left the session may hold the other side
    process.wait()
