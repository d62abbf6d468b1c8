"""How a fetch tells whoever watches how far it is."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called often, so it must be cheap."""

    def __call__(self, done_bytes: int, total_bytes: int | None, what: str) -> None:
        """Tell that `done_bytes` of `total_bytes`, None if not known, of `what` are there."""


def ignore_progress(done_bytes: int, total_bytes: int | None, what: str) -> None:
    """Tell nobody."""
