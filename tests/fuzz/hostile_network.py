"""A network on which somebody sends messages of his own, in everybody's name, and as a stranger."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Sequence
from typing import Final

from tests.fuzz.at_the_door import STRANGERS
from tests.fuzz.forger import Forger
from zfed.transport.base import Buffer
from zfed.transport.memory import LinkFaults, MemoryNetwork, VirtualClock

MOST_STRANGERS: Final = 8
"""Connections that nobody but the forger uses; the oldest is closed for the next."""

CROWD: Final = 300
"""Messages under way beside which none is forged."""

AGAIN_S: Final = 0.1
"""Seconds until a connection is closed on which somebody was refused."""


class HostileNetwork(MemoryNetwork):
    """After each genuine message come forged ones, on the same connection or on a stranger's.

    Args:
        clock: As `MemoryNetwork`.
        draw: All chance.
        faults: As `MemoryNetwork`.
        per_message: How many forged messages follow a genuine one, on average; may be changed at any time.
    """

    def __init__(
        self, clock: VirtualClock, draw: random.Random, faults: LinkFaults, per_message: float
    ) -> None:
        super().__init__(clock, seed=draw.getrandbits(32), faults=faults)
        self.per_message = per_message
        self._forged: dict[int, Buffer] = {}  # headers by `id`, held so that no other gets it
        self._draw = draw
        self._forger = Forger(draw)
        self._strangers: deque[bytes] = deque()
        self._epochs: dict[bytes, int] = {}

    def send_up(self, route: bytes, frames: Sequence[Buffer]) -> bool:
        """As `MemoryNetwork.send_up`."""
        self._forger.hear("node", frames)
        sent = super().send_up(route, frames)
        for _ in range(self._number()):
            at = self._stranger() if self._draw.random() < 0.1 else route
            super().send_up(at, self._forge("node", at))
        return sent

    def send_down(self, route: bytes, frames: Sequence[Buffer]) -> bool:
        """As `MemoryNetwork.send_down`."""
        said = self._forger.hear("coordinator", frames)
        self._epochs[route] = said["epoch"]
        sent = super().send_down(route, frames)
        if said["kind"] == "REFUSED" and said["about"] == "hello":
            # Nothing more is heard on this connection: whoever it is comes again on another
            self._clock.at(self._clock.now + AGAIN_S, lambda: self.close(route))
        for _ in range(self._number()):
            super().send_down(route, self._forge("coordinator", route))
        return sent

    def is_forged(self, frames: Sequence[Buffer]) -> bool:
        """True if a message that has arrived was forged."""
        return bool(frames) and id(frames[0]) in self._forged

    def _number(self) -> int:
        if self.under_way > CROWD:  # else answers to forged messages would draw ever more of them
            return 0
        whole = int(self.per_message)
        return whole + (self._draw.random() < self.per_message - whole)

    def _forge(self, sender: str, route: bytes) -> list[Buffer]:
        frames = self._forger.forge(sender, self._epochs.get(route, 0))
        if frames:
            frames[0] = memoryview(frames[0])  # an object of its own, also if it is sent again
            self._forged[id(frames[0])] = frames[0]
        return frames

    def _stranger(self) -> bytes:
        if len(self._strangers) < MOST_STRANGERS or self._draw.random() < 0.1:
            key = self._draw.choice(STRANGERS)
            self._strangers.append(self.open(key, lambda route, frames: None))
        if len(self._strangers) > MOST_STRANGERS:
            self.close(self._strangers.popleft())
        return self._draw.choice(self._strangers)
