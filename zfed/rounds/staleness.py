"""How much less an update counts that started from an older version."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from zfed.errors import ConfigError

STEP: Final = 2.0**-16
"""Factors are multiples of this, so that weight times factor is exact for any number of examples in use."""


@dataclass(frozen=True)
class Staleness:
    """The factor on an update that is s versions behind.

    1 / (1 + s)**exponent (Xie et al., "Asynchronous Federated Optimization", arXiv 1903.03934, section 5.2;
    FedBuff, Nguyen et al., arXiv 2106.06639, uses exponent 0.5); with exponent 0 it is 1 whatever s is.
    """

    exponent: float = 0.5

    @classmethod
    def parse(cls, text: str) -> Staleness:
        """Read "constant" or "polynomial:0.5".

        Raises:
            ConfigError: If it is neither.
        """
        if text == "constant":
            return cls(0.0)
        rule, _, number = text.partition(":")
        try:
            exponent = float(number)
        except ValueError:
            exponent = -1.0
        if rule != "polynomial" or not 0 <= exponent <= 100:
            raise ConfigError(
                f'--staleness "{text}": expected constant, or polynomial:A with A from 0 to 100, as '
                "polynomial:0.5"
            )
        return cls(exponent)

    def factor(self, staleness: int) -> float:
        """More than 0, at most 1: rounded down to a multiple of `STEP`, but not to nothing."""
        return max(math.floor(math.pow(1.0 + staleness, -self.exponent) / STEP), 1) * STEP
