"""The hours in which a node may be asked for work, on the clock on its own wall: "22:00-06:00", "sat-sun"."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from zfed.errors import ConfigError

_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY_MINUTES: Final = 24 * 60
_DAY = "|".join(_DAYS)
_WINDOW = re.compile(
    rf"((?P<first>{_DAY})(-(?P<last>{_DAY}))?)?\s*"
    r"((?P<from>[0-9]{1,2}:[0-9]{2})-(?P<to>[0-9]{1,2}:[0-9]{2}))?",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class _Window:
    """From `begin` to before `end`, minutes of these days; one that passes midnight ends the next day."""

    days: frozenset[int]
    begin: int
    end: int

    def holds(self, weekday: int, minute: int) -> bool:
        if self.begin < self.end:
            return weekday in self.days and self.begin <= minute < self.end
        late = weekday in self.days and minute >= self.begin
        return late or ((weekday - 1) % 7 in self.days and minute < self.end)


@dataclass(frozen=True)
class Hours:
    """When a node is available: in any of these windows; without any, always."""

    text: str = ""
    _windows: tuple[_Window, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Hours:
        """Read "22:00-06:00,sat-sun,fri 18:00-24:00".

        Raises:
            ConfigError: If it is no such list.
        """
        parts = [part.strip() for part in text.split(",") if part.strip()]
        return cls(", ".join(parts), tuple(_window(part) for part in parts))

    def __bool__(self) -> bool:
        return bool(self._windows)

    def closed(self, wall: datetime) -> str:
        """Why a node is not available at this local time, a few words; empty if it is."""
        minute = wall.hour * 60 + wall.minute
        open_now = any(window.holds(wall.weekday(), minute) for window in self._windows)
        return "" if open_now or not self else f"it is available {self.text}"


def _window(text: str) -> _Window:
    match = _WINDOW.fullmatch(text)
    if match is None:
        raise _no_window(text)
    days = range(7)
    if match["first"]:
        first, last = (_DAYS.index((match[name] or match["first"]).lower()) for name in ("first", "last"))
        days = range(first, first + (last - first) % 7 + 1)
    begin = _minutes(match["from"] or "00:00", text)
    end = _minutes(match["to"] or "24:00", text)
    if begin in (end, _DAY_MINUTES):
        raise _no_window(text)
    return _Window(frozenset(day % 7 for day in days), begin, end)


def _minutes(time: str, text: str) -> int:
    hours, minutes = map(int, time.split(":"))
    if minutes > 59 or hours * 60 + minutes > _DAY_MINUTES:
        raise _no_window(text)
    return hours * 60 + minutes


def _no_window(text: str) -> ConfigError:
    return ConfigError(
        f"--available {text[:80]!r}: expected hours of the day, as 22:00-06:00, days, as sat-sun, or both, "
        "as mon-fri 18:00-24:00; several joined by commas"
    )
