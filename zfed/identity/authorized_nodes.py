"""The authorized-nodes file: edited by commands and by hand, watched by a coordinator."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeAlias

from zfed.errors import UsageError
from zfed.identity.authorized_table import AuthorizedTable
from zfed.identity.key_files import edited, read_file, write_file
from zfed.wire.roster import Roster

_SETTLED_S: Final = 0.1
"""Seconds for which an editor that writes in place must have left the file alone: half a file would look as
if the other half had been shut out."""

_Stamp: TypeAlias = "tuple[int, int, int] | None"
"""Inode, time of the last change in ns, and length of a file; None if there is none."""


class AuthorizedNodes:
    """The file `path`; if there is none, nobody is enrolled.

    Every method that reads or writes it raises UsageError (ConfigError for a bad line), which says where and
    what to do, or CheckpointError if the system refuses.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: _Stamp = None
        self._next_end = float("inf")
        self._peopled = False

    def read(self) -> AuthorizedTable:
        """All that it says."""
        return self._read()[0]

    def edit(self, change: Callable[[AuthorizedTable], AuthorizedTable]) -> AuthorizedTable:
        """Replace the file by what `change` makes of it; nobody else edits it meanwhile."""
        with edited(self.path):
            table = change(self.read())
            write_file(self.path, table.render())
        return table

    def roster(self, wall_now: float) -> Roster:
        """Who may come in now, in seconds since 1970; `changed` looks for what differs from this.

        If it raises, the roster before holds on, and `changed` is silent until the file is another one.
        It also raises if all keys are gone at once: so a file looks that an editor is just writing.
        """
        self._seen, self._next_end = self._stamp(), float("inf")
        table, self._seen = self._read()
        if self._peopled and not table.keys:
            raise UsageError(
                f"{self.path} has no key any more: who was enrolled stays so while this coordinator runs; "
                "to shut a node out: `zfed enroll --revoke NAME`"
            )
        self._peopled = bool(table.keys)
        self._next_end = table.next_end(wall_now)
        return table.roster(wall_now)

    def changed(self, wall_now: float) -> bool:
        """True if the last `roster` does not hold any more: the file is another, or a key has ended.

        Costs a few microseconds, so it may be asked between any two messages.
        """
        if wall_now >= self._next_end:
            return True
        stamp = self._stamp()
        if stamp == self._seen:
            return False
        in_place = stamp is not None and self._seen is not None and stamp[0] == self._seen[0]
        return not (in_place and stamp is not None and 0 <= wall_now - stamp[1] / 1e9 < _SETTLED_S)

    def _read(self) -> tuple[AuthorizedTable, _Stamp]:
        found = read_file(self.path)
        if found is None:
            return AuthorizedTable(), None
        text, status = found
        return AuthorizedTable.parse(text, str(self.path)), _stamp(status)

    def _stamp(self) -> _Stamp:
        try:
            return _stamp(os.stat(self.path))
        except OSError:  # if there is one that cannot be looked at, to read it will say why
            return None


def _stamp(status: os.stat_result) -> _Stamp:
    return status.st_ino, status.st_mtime_ns, status.st_size
