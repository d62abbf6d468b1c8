"""Times as a journal writes them, and as people read them: on the clock of the machine they sit at."""

from __future__ import annotations

from datetime import datetime, timezone


def moment(at: str) -> datetime | None:
    """A time of a journal; None if it is none."""
    try:
        read = datetime.fromisoformat(at.replace("Z", "+00:00"))  # Python 3.10 knows no Z
    except ValueError:
        return None
    return read if read.tzinfo else read.replace(tzinfo=timezone.utc)


def shown(time: datetime | None) -> str:
    """The local time as `2025-01-02 03:04:05`; empty if there is none."""
    return time.astimezone().strftime("%Y-%m-%d %H:%M:%S") if time else ""
