"""Whom a coordinator lets in: its own keys, and the roster that it looks at again and again."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from zfed.errors import ZfedError
from zfed.identity import COORDINATOR, KeysFolder
from zfed.nodes.coordinator_words import RosterChanged
from zfed.nodes.enrolment import Enrolment
from zfed.nodes.journal_lines import Line
from zfed.transport import CurveKeys, ServerSecurity
from zfed.wire.roster import KeyId, Roster

log = logging.getLogger(__name__)


class RosterWatch:
    """Who is enrolled or invited by the files of a keys folder, as they are now.

    Args:
        folder: Where the files and the coordinator's key are.
        wall_clock: Seconds since 1970.

    Raises:
        UsageError: If there is no key, or a file is not as it must be.
        CheckpointError: If one cannot be read.

    Attributes:
        roster: Who may come in; what it was if a file cannot be read at the moment.
    """

    def __init__(self, folder: KeysFolder, wall_clock: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._key = folder.key(COORDINATOR)
        self._files = folder.roster_files
        self._wall_clock = wall_clock
        self.roster: Roster = self._files.roster(wall_clock())

    @property
    def security(self) -> ServerSecurity:
        """What a listener needs: a key that is known may connect, if only to hear why it is refused."""
        return ServerSecurity(CurveKeys(self._key.public.curve, self._key.curve_secret), self._knows)

    def enrolment(self, journal: Callable[[Line], None]) -> Enrolment:
        """What enrols who is invited; `journal` is as there."""
        return Enrolment(self._folder, self._key.public, journal=journal, wall_clock=self._wall_clock)

    def look(self) -> RosterChanged | None:
        """The new roster, if there is one. Takes microseconds while there is none."""
        now = self._wall_clock()
        if not self._files.changed(now):
            return None
        try:
            self.roster = self._files.roster(now)
        except ZfedError as error:
            log.error("%s; who was let in before is let in still", error)
            return None
        log.info("%s: %d keys are known", self._folder.path, len(self.roster))
        return RosterChanged(self.roster)

    def _knows(self, key: KeyId) -> bool:
        return self.roster.find(key) is not None
