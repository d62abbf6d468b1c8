"""The invitations file: edited by `zfed invite`, and by a coordinator whenever an invitation is used."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from zfed.identity.invitation_table import InvitationTable
from zfed.identity.key_files import edited, read_file, write_file
from zfed.identity.watched_file import WatchedFile
from zfed.wire.roster import Invited


class Invitations:
    """The file `path`; if there is none, nobody is invited.

    Every method that reads or writes it raises UsageError (ConfigError for a bad line), which says where and
    what to do, or CheckpointError if the system refuses.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = WatchedFile(path)

    def read(self) -> InvitationTable:
        """All that it says."""
        found = read_file(self.path)
        return self._parsed("" if found is None else found[0])

    def edit(self, change: Callable[[InvitationTable], InvitationTable]) -> InvitationTable:
        """Replace the file by what `change` makes of it, durably; nobody else edits it meanwhile."""
        with edited(self.path):
            before = self.read()
            table = change(before)
            if table != before:
                write_file(self.path, table.render())
        return table

    def entries(self, wall_now: float) -> list[Invited]:
        """What a coordinator has to know now; from here on `changed` looks for what differs from this."""
        return self._parsed(self._file.look()).entries(wall_now)

    def changed(self, wall_now: float) -> bool:
        """True if the file is another than it was at the last `entries`."""
        return self._file.changed(wall_now)

    def _parsed(self, text: str) -> InvitationTable:
        return InvitationTable.parse(text, str(self.path))
