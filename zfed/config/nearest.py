"""The name a person probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest_name(name: str, known: Iterable[str]) -> str:
    """The known name most like `name`, ignoring case; empty if none is at all like it."""
    by_folded = {candidate.casefold(): candidate for candidate in known}
    matches = difflib.get_close_matches(name.casefold(), by_folded, n=1, cutoff=0.5)
    return by_folded[matches[0]] if matches else ""


def suggestion(name: str, known: Iterable[str]) -> str:
    """How an error about an unknown name goes on: the nearest one, or all there are."""
    candidates = list(known)
    nearest = nearest_name(name, candidates)
    if nearest:
        return f'did you mean "{nearest}"?'
    return f"known: {', '.join(candidates) or 'none'}"
