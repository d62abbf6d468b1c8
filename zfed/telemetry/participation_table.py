"""Who took part in a run how often, as lines of plain text."""

from __future__ import annotations

from typing import Final

from zfed.facts import Participation
from zfed.telemetry.wording import count, percent, plural

MOST_PARTS: Final = 20
"""Of the workers, those that took part least are listed one by one."""


def participation_table(fact: Participation) -> list[str]:
    """One line if everybody took part each time; else those that did least, one by one."""
    by_counted = sorted(fact.workers, key=lambda part: (part.counted, part.node))
    if not by_counted:
        return []
    workers, versions = plural(len(by_counted), "worker"), plural(fact.versions, "version")
    least, median, most = (by_counted[place].counted for place in (0, len(by_counted) // 2, -1))
    if least == fact.versions:
        return [f"everybody took part in each of {versions}: {workers}"]
    lines = [f"{workers} took part in {versions}: {least} at least, {median} in the middle, {most} at most"]
    width = max(len(part.node) for part in by_counted[:MOST_PARTS])
    lines.append(f"  {'':<{width}}  took part      asked       late    refused  of the model")
    for part in by_counted[:MOST_PARTS]:
        numbers = [f"{number:>9,}" for number in (part.counted, part.asked, part.late, part.refused)]
        lines.append(f"  {part.node:<{width}}  {'  '.join(numbers)}  {percent(part.share):>12}")
    hidden = len(by_counted) - MOST_PARTS
    return [*lines, f"  and {count(hidden)} more, who took part more often"] if hidden > 0 else lines
