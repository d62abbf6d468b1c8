"""What came of one schedule in a race."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Ending: TypeAlias = Literal["arrived", "out of time", "interrupted"]


@dataclass(frozen=True)
class Point:
    """A model version.

    Attributes:
        at_s: Virtual time at which it was committed.
        version: Its number.
        updates: Those that are in it and the versions before it.
        accuracy: On the test data; 0 while it is not known.
    """

    at_s: float
    version: int
    updates: int
    accuracy: float = 0.0


@dataclass
class Course:
    """One schedule's way to the target, so far.

    Attributes:
        label: The schedule, as a person wrote it.
        now_s: Virtual time.
        versions: Committed ones.
        updates: Those that count in them.
        begun: Pieces of training that workers have begun.
        carried_bytes: What has gone over the workers' links, both ways, every message counted.
        points: Evaluated versions, ascending.
        staleness: How many updates were how many versions behind.
        ending: How it ended; "" while it goes on.
        real_s: Real seconds that the simulation took.
    """

    label: str
    now_s: float = 0.0
    versions: int = 0
    updates: int = 0
    begun: int = 0
    carried_bytes: int = 0
    points: list[Point] = field(default_factory=list)
    staleness: Counter[int] = field(default_factory=Counter)
    ending: Ending | Literal[""] = ""
    real_s: float = 0.0

    @property
    def accuracy(self) -> float | None:
        """Of the newest version that was evaluated; None if none was."""
        return self.points[-1].accuracy if self.points else None

    @property
    def arrival(self) -> Point | None:
        """The first version at the target; None if it has not arrived."""
        return self.points[-1] if self.ending == "arrived" else None

    @property
    def median_staleness(self) -> int:
        """Lower median of all updates that count; 0 if there are none."""
        ordered = sorted(self.staleness.elements())
        return ordered[(len(ordered) - 1) // 2] if ordered else 0
