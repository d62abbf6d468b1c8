"""What a task leaves on its node when an assignment is done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from zfed.compression.codec import Float32s
from zfed.params import ParameterBuffer
from zfed.task import Array


class Lost(NamedTuple):
    """What encoding an update lost: given to the next one at the same level."""

    level: str
    residual: Float32s


@dataclass(frozen=True)
class TaskState:
    """What stays on this node after an assignment, and what the next one begins with. Never changed in place.

    Attributes:
        arrays: The task's own, `Context.state`.
        local: The tensors of kind `local`.
        lost: What encoding the update lost, if it was encoded.
    """

    arrays: Mapping[str, Array]
    local: ParameterBuffer
    lost: Lost | None = None

    @property
    def is_empty(self) -> bool:
        """True if nothing has to be kept, as with most tasks."""
        return not self.arrays and not len(self.local) and self.lost is None
