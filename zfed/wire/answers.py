"""PULLs on their way to being answered, at the pace at which bytes may leave this node."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from zfed.wire.messages import Pull
from zfed.wire.pacing import Pacer

MOST_WAITING: Final = 64
"""PULLs of one peer that wait here; of more, the last are dropped, as the network might do."""


@dataclass(eq=False)
class Answers:
    """What one peer has pulled and has not got yet, in the order of its PULLs.

    A PULL that comes again keeps its place: its peer has lost patience, which is no reason to wait longer.

    Args:
        pacer: Says when; shared by the answers to all peers.
        answer: Sends what a PULL asks for; returns how many bytes those were, 0 if they are not to be had.
    """

    pacer: Pacer
    answer: Callable[[Pull], int]
    _waiting: dict[tuple[str, int], Pull] = field(default_factory=dict)

    def ask(self, pull: Pull, now: float) -> None:
        """A PULL has come: answer it as soon as its turn has come, without a limit at once."""
        place = (pull.blob, pull.offset)
        if place in self._waiting or len(self._waiting) < MOST_WAITING:
            self._waiting[place] = pull
            self.pacer.join(self, now)

    def send_next(self, now: float) -> int:
        """Answer the next PULL; returns the bytes sent, 0 if none waits."""
        while self._waiting:
            sent = self.answer(self._waiting.pop(next(iter(self._waiting))))
            if sent:
                return sent
        return 0

    def close(self) -> None:
        """The peer is gone: nothing is owed to it."""
        self._waiting.clear()
        self.pacer.leave(self)
