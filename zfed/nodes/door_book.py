"""What came to a coordinator's door and was kept out, counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

from zfed.facts import DoorCounts, Fact, NodeRefused


class DoorBook:
    """Gathers the counts of all who guard a coordinator.

    Args:
        at_listener: Counts of connections and keys, in the groups of `DoorCounts`.
        dropped: Counts of messages, by limit.
    """

    def __init__(
        self, at_listener: Callable[[], Mapping[str, Mapping[str, int]]], dropped: Mapping[str, int]
    ) -> None:
        self._at_listener = at_listener
        self._dropped = dropped
        self._refused: Counter[str] = Counter()

    def observe(self, fact: Fact) -> None:
        """Count a refused node; dropped messages, of which only some are told, are counted elsewhere."""
        if isinstance(fact, NodeRefused) and fact.code != "malformed":
            self._refused[fact.code] += 1

    def counts(self) -> DoorCounts:
        """All since this start."""
        groups = {**self._at_listener(), "messages": self._dropped, "nodes": self._refused}
        return DoorCounts(
            **{
                group: {name: count for name, count in sorted(counts.items()) if count}
                for group, counts in groups.items()
            }
        )
