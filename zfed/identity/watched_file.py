"""A file that a running coordinator reads again whenever somebody has changed it."""

from __future__ import annotations

import contextlib
import os
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeAlias

from zfed.identity.key_files import read_file

_SETTLED_S: Final = 0.1
"""Seconds for which an editor that writes in place must have left the file alone: half a file would look as
if the other half had been shut out."""

_Stamp: TypeAlias = "tuple[int, int, int] | None"
"""Inode, time of the last change in ns, and length of a file; None if there is none."""


class WatchedFile:
    """The file `path` of a keys folder, and whether it is still the one that was looked at last."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: _Stamp = None
        self._let_go: Callable[[], object] = lambda: None

    def look(self) -> str:
        """Its text, empty if there is none; from here on `changed` looks for what differs from this.

        If it raises, which it does as `read_file`, `changed` is silent until the file is another one.
        """
        self._seen = self._stamp()
        self._hold()
        found = read_file(self.path)
        if found is None:
            self._seen = None
            return ""
        text, status = found
        self._seen = _stamp(status)
        return text

    def changed(self, wall_now: float) -> bool:
        """True if the file is another, as of seconds since 1970; costs a few microseconds."""
        stamp = self._stamp()
        if stamp == self._seen:
            return False
        in_place = stamp is not None and self._seen is not None and stamp[0] == self._seen[0]
        return not (in_place and stamp is not None and 0 <= wall_now - stamp[1] / 1e9 < _SETTLED_S)

    def _hold(self) -> None:
        """Keep the file open: no later one gets its inode, and looks like it, written over in place."""
        self._let_go()
        with contextlib.suppress(OSError):
            number = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            self._let_go = weakref.finalize(self, os.close, number)

    def _stamp(self) -> _Stamp:
        try:
            return _stamp(os.stat(self.path))
        except OSError:  # if there is one that cannot be looked at, to read it will say why
            return None


def _stamp(status: os.stat_result) -> _Stamp:
    return status.st_ino, status.st_mtime_ns, status.st_size
