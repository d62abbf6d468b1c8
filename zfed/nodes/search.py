"""How long a node has been without its coordinator: when to say so, and when to give up."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from zfed.facts import Connecting

NOTICE_S: Final = 5.0


class Search:
    """The time without a session; there is none at first.

    Args:
        addresses: Where the coordinator may listen.
        timeout_s: How long to go on trying.
        now: When this node was started.
    """

    def __init__(self, addresses: Sequence[str], timeout_s: float, now: float) -> None:
        self._addresses = addresses
        self._timeout_s = timeout_s
        self._patience_s = timeout_s
        self._since: float | None = None
        self._next_notice = math.inf
        self.begin(now)

    @property
    def next_wake(self) -> float:
        """When there is something to say, or the search is over."""
        return math.inf if self._since is None else min(self._next_notice, self._since + self._patience_s)

    def begin(self, now: float) -> bool:
        """There is no session any more; False if there was none before."""
        if self._since is not None:
            return False
        self._since = now
        self._next_notice = now + NOTICE_S
        return True

    def found(self) -> None:
        """There is a session."""
        self._since = None
        self._patience_s = self._timeout_s

    def wait_for_next_run(self) -> None:
        """The run has ended, and nobody knows when there is another: this search has no end."""
        self._patience_s = math.inf

    def failure(self, now: float) -> str:
        """Why this node gives up, empty if it goes on."""
        if self._since is None or now < self._since + self._patience_s:
            return ""
        where = " or ".join(self._addresses)
        return f"no coordinator answered at {where} for {now - self._since:.0f} s; see --connect-timeout"

    def notice(self, address: str, now: float) -> Connecting | None:
        """What is to be told now, if anything, while `address` is tried."""
        if self._since is None or now < self._next_notice:
            return None
        self._next_notice = now + NOTICE_S
        remaining = self._since + self._patience_s - now
        return Connecting(
            address=address,
            others=[other for other in self._addresses if other != address],
            elapsed_s=now - self._since,
            remaining_s=remaining if math.isfinite(remaining) else None,
        )
