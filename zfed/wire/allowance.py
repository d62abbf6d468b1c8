"""Token buckets: how much each of many senders may do, in all and at a time."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field


@dataclass(eq=False)
class Allowance:
    """Lets every sender have `rate` a second, and as much as `burst` at once.

    In any t seconds a sender gets at most `rate * t + burst`, and one that wants no more than `rate` is never
    refused. Whose bucket is full again is forgotten, for it is as if it had never come: there are no more
    entries than senders in the last `burst / rate` seconds and one sweep.

    Attributes:
        rate: Units a second, more than 0.
        burst: Units that a bucket holds.
    """

    rate: float
    burst: float
    _left: dict[Hashable, tuple[float, float]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._left)

    def take(self, sender: Hashable, units: float, now: float) -> bool:
        """Take so many units; False, and none is taken, if they are not there."""
        before = self._left.get(sender)
        if before is None:
            left = self.burst
        else:
            left, at = before
            left = min(left + (now - at) * self.rate, self.burst)
        if left < units:
            return False
        self._left[sender] = (left - units, now)
        return True

    def give_back(self, sender: Hashable, units: float) -> None:
        """What was taken was no sender's doing after all."""
        if (before := self._left.get(sender)) is not None:
            left, at = before
            self._left[sender] = (min(left + units, self.burst), at)

    def sweep(self, now: float) -> None:
        """Forget whose buckets are full by now."""
        full = [
            sender for sender, (left, at) in self._left.items() if left + (now - at) * self.rate >= self.burst
        ]
        for sender in full:
            del self._left[sender]
