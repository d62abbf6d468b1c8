"""Times in the files of a keys folder, 2026-12-01T00:00:00Z; in the program they are seconds since 1970."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import Final

from zfed.errors import UsageError

LAST: Final = 253_402_300_799
"""The last second that can be written: 9999-12-31T23:59:59Z."""

_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")


def utc_text(seconds: int) -> str:
    """A time in 0 to `LAST`, in words."""
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_utc(text: str) -> int:
    """The time that `utc_text` wrote.

    Raises:
        UsageError: If it is none, or before 1970.
    """
    try:
        if not _TIME.fullmatch(text):
            raise ValueError
        seconds = int(datetime.fromisoformat(f"{text[:-1]}+00:00").timestamp())
        if seconds < 0:
            raise ValueError
    except ValueError:
        raise UsageError(f"{text[:40]!r} is no time; expected one as 2026-12-01T00:00:00Z") from None
    return seconds
