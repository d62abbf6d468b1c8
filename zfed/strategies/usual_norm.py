"""How long updates usually are, and how long one may be at most.

A pure function of what commit lines say, so a run that is resumed decides as it would have before.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from statistics import median_low
from typing import Final

from zfed.strategies.inspection import NO_NORM_LIMIT

REMEMBERED_VERSIONS: Final = 20
"""Model versions that the running median is of: norms become smaller as a run goes on, and it must follow."""

VERSIONS_NEEDED: Final = 3
"""Model versions that must have been made before what is usual limits anything."""


class UsualNorm:
    """The running median of the norms of updates that count.

    Of each version the lower median of its updates is kept, whatever the order in which they came; so a
    version counts once, be it of three updates or of a thousand. The running median is that of the last
    `REMEMBERED_VERSIONS`.

    Args:
        medians: Of the versions so far, oldest first.
    """

    def __init__(self, medians: Iterable[float] = ()) -> None:
        self._medians: deque[float] = deque(maxlen=REMEMBERED_VERSIONS)
        for median in medians:
            self.add(median)

    def add(self, median: float) -> None:
        """A version was made of updates with this median; 0, if nothing moved, says nothing."""
        if median > 0:
            self._medians.append(median)

    def limit(self, max_norm: float, max_ratio: float) -> float:
        """The largest norm of an update of the next round.

        Args:
            max_norm: Allowed in any case; 0: no such limit.
            max_ratio: Allowed times the running median, once there is one; 0: no such limit.
        """
        limits = [NO_NORM_LIMIT]
        if max_norm:
            limits.append(max_norm)
        if max_ratio and len(self._medians) >= VERSIONS_NEEDED:
            limits.append(max_ratio * median_low(self._medians))
        return min(limits)


def median_norm(norms: Iterable[float]) -> float:
    """The lower median of the norms of a version's updates, at least one."""
    return median_low(norms)
