"""Says of a wait that lasts what is awaited, of whom, and for how much longer."""

from __future__ import annotations

import math
from dataclasses import dataclass

from zfed.facts import Waiting

NOTICE_S = 30.0
LONGEST_PAUSE_S = 600.0


@dataclass(frozen=True)
class Awaited:
    """Something that a node waits for.

    Attributes:
        what: In words, with whom it is to come from.
        seen: How much of it has come. While that grows nobody waits.
        until: When the node will give it up.
        notice_s: Seconds after which somebody should know.
    """

    what: str
    seen: int = 0
    until: float = math.inf
    notice_s: float = NOTICE_S


class Patience:
    """Watches one wait at a time. It is told ever less often, as there is ever less news in it."""

    def __init__(self) -> None:
        self._awaited: Awaited | None = None
        self._since = 0.0
        self._next_notice = math.inf

    @property
    def next_wake(self) -> float:
        """When `look` may have something to say."""
        return self._next_notice

    def look(self, awaited: Awaited | None, now: float) -> Waiting | None:
        """What should be told of what is awaited now, if anything."""
        if awaited is None:
            self._awaited, self._next_notice = None, math.inf
            return None
        before, self._awaited = self._awaited, awaited
        if before is None or (before.what, before.seen) != (awaited.what, awaited.seen):
            self._since, self._next_notice = now, now + awaited.notice_s
        if now < self._next_notice:
            return None
        waited = now - self._since
        self._next_notice = now + min(waited, LONGEST_PAUSE_S)
        remaining = awaited.until - now
        return Waiting(
            missing=f"{awaited.what}: nothing for {waited:.0f} s",
            remaining_s=remaining if math.isfinite(remaining) else None,
        )
