"""How fast a node's link is in a network without sockets."""

from __future__ import annotations

import math
from dataclasses import dataclass, field


@dataclass
class Lane:
    """One direction of a link: messages go through it one after another.

    Attributes:
        bytes_per_s: How fast.
        free_at: When the last byte of all that was sent so far is in it.
        carried: Bytes of all that was ever sent.
    """

    bytes_per_s: float = math.inf
    free_at: float = 0.0
    carried: int = 0

    def send(self, nbytes: int, now: float) -> float:
        """Put a message behind those that are on their way; returns when its last byte is in the lane."""
        self.carried += nbytes
        self.free_at = max(self.free_at, now) + nbytes / self.bytes_per_s
        return self.free_at


@dataclass
class NodeLink:
    """The link of one node, whatever connection it is used by.

    Attributes:
        up: To the coordinator.
        down: From it.
        delay_s: What every message takes besides, either way.
    """

    up: Lane = field(default_factory=Lane)
    down: Lane = field(default_factory=Lane)
    delay_s: float = 0.0
