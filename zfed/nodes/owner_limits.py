"""What a node's owner lets the training of one round take, whatever its coordinator asks for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class OwnerLimits:
    """Limits of one round's training; 0: as much as is asked for.

    Attributes:
        max_epochs: Passes over this node's data.
        max_seconds: Seconds from the beginning of the work.
    """

    max_epochs: float = 0.0
    max_seconds: float = 0.0


class Allowance:
    """Tells one piece of work when its owner has had enough, and remembers why.

    Args:
        limits: Of the owner.
        elapsed_s: Seconds since the work began.

    Attributes:
        limited: The flag, without dashes, of the limit that ended the work; empty if none did.
    """

    def __init__(self, limits: OwnerLimits, elapsed_s: Callable[[], float]) -> None:
        self._limits = limits
        self._elapsed_s = elapsed_s
        self.limited = ""

    def should_finish(self, epochs: float) -> bool:
        """Whether work with more to do, that has passed over its data so often, is to end here."""
        if 0 < self._limits.max_epochs <= epochs:
            self.limited = "max-epochs"
        elif 0 < self._limits.max_seconds <= self._elapsed_s():
            self.limited = "max-seconds"
        return bool(self.limited)
