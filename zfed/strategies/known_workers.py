"""Which workers ever gave an update that counts, and what each counts for: how large the whole is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from zfed.errors import CheckpointError
from zfed.strategies.pieces import Array

NAMES: Final = "workers.names"
SHARES: Final = "workers.shares"


@dataclass(frozen=True)
class KnownWorkers:
    """The last share of each worker, by name. Immutable.

    Attributes:
        shares: Above 0.
    """

    shares: Mapping[str, float] = field(default_factory=dict)

    def joined(self, shares: Mapping[str, float]) -> KnownWorkers:
        """With these workers and their shares, too."""
        return KnownWorkers({**self.shares, **shares})

    def whole(self, workers: int) -> float:
        """What all workers together count for; the same in any order.

        Args:
            workers: How many there are. Those that are not known yet count as the known ones do on average;
                fewer than are known count as the known.
        """
        known = math.fsum(self.shares.values())
        return known * workers / len(self.shares) if 0 < len(self.shares) < workers else known

    @property
    def state(self) -> dict[str, Array]:
        """The same as flat arrays, in the order of the names."""
        names = sorted(self.shares)
        return {
            NAMES: np.frombuffer("\n".join(names).encode(), np.uint8),
            SHARES: np.array([self.shares[name] for name in names], np.float64),
        }

    @classmethod
    def restored(cls, state: Mapping[str, Array]) -> KnownWorkers:
        """What `state` was made of.

        Raises:
            CheckpointError: If the arrays are missing or do not fit each other.
        """
        try:
            names = state[NAMES].tobytes().decode().splitlines()
            shares = [float(share) for share in state[SHARES]]
            return cls(dict(zip(names, shares, strict=True)))
        except (KeyError, ValueError) as error:  # UnicodeDecodeError is one
            raise CheckpointError(f"strategy state does not say which workers took part: {error}") from None
