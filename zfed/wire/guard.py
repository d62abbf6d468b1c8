"""What one sender may send and how much of it, looked at before anything is decoded.

A sender is a key, or where there are no keys a connection. Whoever floods is sent away; what is merely out of
shape is dropped. The defaults are far from what nodes do: docs/wire.md, Limits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Final

from zfed.config import LimitsConfig
from zfed.config.sizes import parse_size
from zfed.wire.allowance import Allowance
from zfed.wire.codec import Buffer

BURST_S: Final = 2.0
"""As many seconds' worth may come at once: what was delayed on its way comes so."""

TOLD: Final = 20
"""Dropped messages that are told of at once, and one more each second; all are counted."""

_MINUTE_S: Final = 60.0


@dataclass(frozen=True)
class Breach:
    """A message goes beyond a limit: it is dropped, and if `flood` its sender is sent away."""

    limit: str
    reason: str
    flood: bool = False


class Guard:
    """Holds senders to the limits.

    Args:
        limits: As configured.

    Attributes:
        counts: How often each limit was gone beyond, by its key in `[limits]`; `malformed` messages, too.
    """

    def __init__(self, limits: LimitsConfig | None = None) -> None:
        limits = limits or LimitsConfig()
        self.counts: Counter[str] = Counter()
        self._limits = limits
        self._header = parse_size(limits.header)
        self._chunk = parse_size(limits.chunk)
        unasked = parse_size(limits.unasked)
        self._messages = Allowance(limits.messages, limits.messages * BURST_S)
        self._unasked = Allowance(unasked, unasked * BURST_S)
        self._sessions = Allowance(limits.sessions / _MINUTE_S, limits.sessions)
        self._told = Allowance(1.0, TOLD)

    def look(self, sender: Hashable, frames: Sequence[Buffer], now: float) -> Breach | None:
        """Why a message is not heard, or None if it is.

        All its bytes count as unasked until `asked_for` says otherwise.
        """
        limits = self._limits
        if not self._messages.take(sender, 1, now):
            return self._flood("messages", f"more than {limits.messages} messages a second (--max-messages)")
        if not self._unasked.take(sender, sum(map(len, frames)), now):
            return self._flood(
                "unasked", f"more than {limits.unasked} a second that nobody asked for (--max-unasked)"
            )
        if len(frames) > limits.frames:
            return self._breach("frames", f"{len(frames)} frames or more, limit is {limits.frames}")
        if frames and len(frames[0]) > self._header:
            return self._breach("header", f"header of {len(frames[0])} bytes, limit is {self._header}")
        if len(frames) > 1 and len(frames[1]) > self._chunk:
            return self._breach("chunk", f"payload of {len(frames[1])} bytes, limit is {self._chunk}")
        return None

    def asked_for(self, sender: Hashable, nbytes: int) -> None:
        """So many bytes of what this sender sent are the answer to a PULL."""
        self._unasked.give_back(sender, nbytes)

    def may_greet(self, sender: Hashable, now: float) -> bool:
        """True if this sender, a key or else a node's name, may begin one more session."""
        if self._sessions.take(sender, 1, now):
            return True
        self.counts["sessions"] += 1
        return False

    def worth_telling(self, now: float) -> bool:
        """True unless so much was dropped lately that telling of it would be the flood."""
        return self._told.take("", 1, now)

    def sweep(self, now: float) -> None:
        """Forget who was quiet for a while."""
        for allowance in (self._messages, self._unasked, self._sessions):
            allowance.sweep(now)

    def _flood(self, limit: str, reason: str) -> Breach:
        self.counts[limit] += 1
        return Breach(limit, reason, flood=True)

    def _breach(self, limit: str, reason: str) -> Breach:
        self.counts[limit] += 1
        return Breach(limit, reason)
