"""Workers whose tasks refuse the `[train]` table: it is the same each round, and so is their answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

CONFIGURATION: Final = "configuration"
"""The code of such a failure."""

MOST_TOLD: Final = 500
"""Characters of an error that end a run's reason."""


@dataclass
class Objections:
    """Who refuses, and why; whoever joins again, maybe with another task, is asked again."""

    _errors: dict[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._errors)

    def raised(self, node: str, error: str) -> None:
        """A worker's task refused what it was asked to do."""
        self._errors[node] = error

    def withdrawn(self, node: str) -> None:
        """A worker has joined again."""
        self._errors.pop(node, None)

    def sentence(self) -> str:
        """Who refuses, in words, and what the first of them says."""
        node, error = next(iter(self._errors.items()))
        others = f" and {len(self._errors) - 1} more" if len(self._errors) > 1 else ""
        return f"{node}{others} cannot do what [train] asks for: {error[:MOST_TOLD]}"
