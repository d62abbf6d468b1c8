"""Whether a process is at work in a run directory."""

from __future__ import annotations

import fcntl
from pathlib import Path

from zfed.checkpoint.run_files import RunFiles


def holder(folder: Path) -> str | None:
    """The process that holds a run directory, as its file `lock` names it; None if nobody does.

    The lock is asked for, shared and for an instant: only so does the system tell about it. On a network file
    system the answer may be about this machine alone.
    """
    try:
        with open(RunFiles(folder).lock_path, "rb") as file:
            try:
                fcntl.flock(file.fileno(), fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return file.read(32).decode(errors="replace").strip() or "(unknown)"
    except OSError:
        pass  # no such file, or not ours to read: nothing says that the run is going on
    return None
