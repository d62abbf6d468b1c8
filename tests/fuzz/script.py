r"""What happens at one end of sessions, as bytes: a line for each thing, so that a corpus can be read.

+2.5                  so many seconds pass
!a                    the connection behind route a is gone
-a                    the key of route a is revoked
a{"kind":"HELLO",...  a message on route a; frames are divided by \x1e
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

MOST_LINES: Final = 200
BETWEEN: Final = b"\x1e"


@dataclass(frozen=True)
class Passed:
    """So many seconds have passed."""

    seconds: float


@dataclass(frozen=True)
class Gone:
    """The connection behind a route is gone."""

    route: bytes


@dataclass(frozen=True)
class Revoked:
    """The key that is used on a route is not valid any more."""

    route: bytes


@dataclass(frozen=True)
class Came:
    """A message has come."""

    route: bytes
    frames: list[bytes]


def steps(script: bytes) -> Iterator[Passed | Gone | Revoked | Came]:
    """What a script says; lines that say nothing are left out."""
    for line in script.split(b"\n", MOST_LINES)[:MOST_LINES]:
        if line.startswith(b"+"):
            with suppress(ValueError):
                seconds = float(line[1:])
                if 0 <= seconds < 1e6:
                    yield Passed(seconds)
        elif line.startswith(b"!"):
            yield Gone(line[1:2])
        elif line.startswith(b"-"):
            yield Revoked(line[1:2])
        elif line:
            yield Came(line[:1], line[1:].split(BETWEEN))
