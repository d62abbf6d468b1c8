"""Intervals that numbers in a configuration must lie in."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Interval:
    """Numbers from `low` to `high`; a bound that is open is not itself allowed. Not-a-number lies in none."""

    low: float = -math.inf
    high: float = math.inf
    open_low: bool = False
    open_high: bool = False

    def __contains__(self, number: float) -> bool:
        above = number > self.low if self.open_low else number >= self.low
        below = number < self.high if self.open_high else number <= self.high
        return above and below and math.isfinite(number)

    def __str__(self) -> str:
        """In words, as in `at least 1`; empty if every finite number lies in it."""
        parts = []
        if self.low > -math.inf:
            parts.append(f"{'more than' if self.open_low else 'at least'} {self.low}")
        if self.high < math.inf:
            parts.append(f"{'less than' if self.open_high else 'at most'} {self.high}")
        return " and ".join(parts)


ANY = Interval()
POSITIVE = Interval(low=0, open_low=True)
NOT_NEGATIVE = Interval(low=0)
AT_LEAST_ONE = Interval(low=1)
VALUE_RANGE = Interval(low=0, high=1e30)
MOMENTUM = Interval(low=0, high=1, open_high=True)
"""A momentum of 1 never forgets an update."""

SHARE = Interval(low=0, high=1, open_high=True)
"""Something must be left."""

OVERSAMPLING = Interval(low=1, high=100)

FRAMES = Interval(low=2, high=4)
HEADER = Interval(low=16 << 10, high=256 << 10)
CHUNK = Interval(low=64 << 10, high=1 << 20)
FRAME = Interval(low=(256 << 10) + (64 << 10), high=1 << 30)
UNASKED = Interval(low=1 << 20, high=1 << 40)
STAGING = Interval(low=1 << 20, high=1 << 40)
"""Of sizes in bytes: wire.md allows no longer headers and chunks; a message must pass at all."""

SEED = Interval(low=0, high=2**53 - 1)
"""Seeds travel as JSON, whose readers may hold every number as a float64."""
