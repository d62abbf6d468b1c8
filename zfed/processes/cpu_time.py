"""CPU time of processes, with all their descendants, as Linux counts it."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Collection
from pathlib import Path

_PROC = Path("/proc")


def cpu_seconds(sessions: Collection[int]) -> float | None:
    """User and system time used so far by all processes of these sessions; None where there is no /proc.

    A session has the number of the process that started it (`start_new_session=True`); its descendants stay
    in it. What descendants used that have ended and were waited for is counted at their parents.
    """
    if not (_PROC / "self" / "stat").exists():
        return None
    ticks = sum(_ticks(entry, sessions) for entry in _PROC.iterdir() if entry.name.isdigit())
    return ticks / os.sysconf("SC_CLK_TCK")


def process_cpu_seconds(pid: int) -> float | None:
    """User and system time of one process and all its threads, to the microsecond; None if it is gone.

    Counts until the process has been waited for. None on systems other than Linux.
    """
    if not sys.platform.startswith("linux"):
        return None
    clock = (
        ~pid << 3
    ) | 2  # clock_getcpuclockid(3): MAKE_PROCESS_CPUCLOCK(pid, CPUCLOCK_SCHED) of the kernel
    try:
        return time.clock_gettime(clock)
    except OSError:
        return None


def _ticks(entry: Path, sessions: Collection[int]) -> int:
    try:
        text = (entry / "stat").read_text()
    except OSError:
        return 0  # it has just ended
    # proc(5): the command's name, in parentheses, may itself hold spaces and parentheses
    fields = text[text.rindex(")") + 2 :].split()
    session, own_and_waited_for = int(fields[3]), fields[11:15]
    return sum(map(int, own_and_waited_for)) if session in sessions else 0
