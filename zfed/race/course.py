"""What came of one schedule in a race."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

STEADY: Final = 3
"""A schedule has arrived at the first of so many evaluations in a row that are at the target: one alone may
be luck, where each version is of few updates."""

Ending: TypeAlias = Literal["", "arrived", "out of time", "given up", "interrupted"]


@dataclass(frozen=True)
class Point:
    """A model version that was committed.

    Attributes:
        at_s: Virtual time of that.
        version: Its number.
        updates: Those that are in it and the versions before it.
        workers: How many different ones these are of.
        begun: Pieces of training that workers had begun by then.
        carried_bytes: What had gone over the workers' links by then, both ways, every message counted.
        accuracy: On the test data; 0 while it is not known.
    """

    at_s: float = 0.0
    version: int = 0
    updates: int = 0
    workers: int = 0
    begun: int = 0
    carried_bytes: int = 0
    accuracy: float = 0.0


@dataclass
class Course:
    """One schedule's way to the target, so far.

    Attributes:
        label: The schedule, as a person wrote it.
        now_s: Virtual time.
        newest: The last version.
        points: Versions that were evaluated, ascending.
        staleness: How many updates were how many versions behind.
        ending: How it ended; "" while it goes on.
        real_s: Real seconds that the simulation took.
    """

    label: str
    now_s: float = 0.0
    newest: Point = field(default_factory=Point)
    points: list[Point] = field(default_factory=list)
    staleness: Counter[int] = field(default_factory=Counter)
    ending: Ending = ""
    real_s: float = 0.0

    def evaluated(self, point: Point, target: float) -> None:
        """Go on to this point; it may be the end."""
        self.points.append(point)
        last = self.points[-STEADY:]
        if len(last) == STEADY and min(each.accuracy for each in last) >= target:
            self.ending = "arrived"

    @property
    def accuracy(self) -> float | None:
        """Of the newest version that was evaluated; None if none was."""
        return self.points[-1].accuracy if self.points else None

    @property
    def arrival(self) -> Point | None:
        """The first version at the target that was no accident; None if it has not arrived."""
        return self.points[-STEADY] if self.ending == "arrived" else None

    @property
    def reached(self) -> Point:
        """The arrival, or else the newest version."""
        return self.arrival or self.newest

    @property
    def median_staleness(self) -> int:
        """Lower median of all updates that count; 0 if there are none."""
        ordered = sorted(self.staleness.elements())
        return ordered[(len(ordered) - 1) // 2] if ordered else 0
