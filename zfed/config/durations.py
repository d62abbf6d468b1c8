"""Spans of time as people write them: "7d", "90m"."""

from __future__ import annotations

import re
from typing import Final

from zfed.errors import UsageError

UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
"""Seconds of each unit."""

_DURATION = re.compile(r"(?P<number>[0-9]{1,4})(?P<unit>[smhdw])")


def parse_duration(text: str, what: str) -> int:
    """Seconds of a span; `what` names it in the message.

    Raises:
        UsageError: If it is none.
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise UsageError(
            f"{what} is {text!r}, expected a whole number up to 9999 and one of s, m, h, d and w, as 7d"
        )
    return int(match["number"]) * UNITS[match["unit"]]
