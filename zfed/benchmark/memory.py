"""How much memory a process holds for itself, now and at most, as Linux counts it."""

from __future__ import annotations

import threading
from pathlib import Path
from types import TracebackType

_FIELDS = ("RssAnon:", "RssShmem:")
_KIB = 1024


def private_bytes(pid: int) -> int:
    """Resident memory that is no copy of a file: RssAnon + RssShmem of /proc/PID/status; 0 if unknown.

    Mapped files are left out: their pages are the page cache's, and go when others need the room.
    """
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0  # no /proc, or it has just ended
    lines = (line.split() for line in status.splitlines())
    return sum(int(words[1]) * _KIB for words in lines if words and words[0] in _FIELDS)


class MemoryWatch:
    """Samples processes in a thread, because Linux keeps no high-water mark of this sum.

    Args:
        interval_s: Between samples. Each takes about 20 us of one core and process.
    """

    def __init__(self, interval_s: float = 0.01) -> None:
        self._interval_s = interval_s
        self._peaks: dict[int, int] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, name="memory-watch", daemon=True)

    def __enter__(self) -> MemoryWatch:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def add(self, pid: int) -> None:
        """Begin to watch a process."""
        self._peaks[pid] = private_bytes(pid)

    def peak(self, pid: int) -> int:
        """The most that was seen of a process, in bytes."""
        return self._peaks[pid]

    def _sample(self) -> None:
        while not self._stop.wait(self._interval_s):
            for pid in list(self._peaks):
                self._peaks[pid] = max(self._peaks[pid], private_bytes(pid))
