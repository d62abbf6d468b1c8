"""The authorized-nodes file: edited by commands and by hand, watched by a coordinator."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from zfed.errors import UsageError
from zfed.identity.authorized_table import AuthorizedTable
from zfed.identity.key_files import edited, read_file, write_file
from zfed.identity.watched_file import WatchedFile
from zfed.wire.roster import Enrolled, Roster


class AuthorizedNodes:
    """The file `path`; if there is none, nobody is enrolled.

    Every method that reads or writes it raises UsageError (ConfigError for a bad line), which says where and
    what to do, or CheckpointError if the system refuses.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = WatchedFile(path)
        self._next_end = float("inf")
        self._peopled = False

    def read(self) -> AuthorizedTable:
        """All that it says."""
        found = read_file(self.path)
        return self._parsed("" if found is None else found[0])

    def edit(self, change: Callable[[AuthorizedTable], AuthorizedTable]) -> AuthorizedTable:
        """Replace the file by what `change` makes of it; nobody else edits it meanwhile."""
        with edited(self.path):
            table = change(self.read())
            write_file(self.path, table.render())
        return table

    def roster(self, wall_now: float) -> Roster:
        """Who may come in now, in seconds since 1970; as `entries`."""
        return Roster(self.entries(wall_now))

    def entries(self, wall_now: float) -> list[Enrolled]:
        """What a coordinator has to know now; from here on `changed` looks for what differs from this.

        If it raises, what was known before stays, and `changed` is silent until the file is another one. It
        also raises if all keys are gone at once: so a file looks that an editor is just writing.
        """
        self._next_end = float("inf")
        table = self._parsed(self._file.look())
        if self._peopled and not table.keys:
            raise UsageError(
                f"{self.path} has no key any more: who was enrolled stays so while this coordinator runs; "
                "to shut a node out: `zfed enroll --revoke NAME`"
            )
        self._peopled = bool(table.keys)
        self._next_end = table.next_end(wall_now)
        return table.entries(wall_now)

    def changed(self, wall_now: float) -> bool:
        """True if the last `entries` do not hold any more: the file is another, or a key has ended.

        Costs a few microseconds, so it may be asked between any two messages.
        """
        return wall_now >= self._next_end or self._file.changed(wall_now)

    def _parsed(self, text: str) -> AuthorizedTable:
        return AuthorizedTable.parse(text, str(self.path))
