"""So many workers, or such a share of those that there are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from zfed.errors import ConfigError


@dataclass(frozen=True)
class Share:
    """A number of workers (`count`), or a share of however many there are (`fraction`, exact).

    Attributes:
        text: As its owner wrote it.
        count: At least 1; 0 if it is a share.
        fraction: Above 0, at most 1; 0 if it is a number.
    """

    text: str
    count: int = 0
    fraction: Fraction = Fraction(0)

    @classmethod
    def parse(cls, text: str, flag: str) -> Share:
        """Read "10" or "80%".

        Raises:
            ConfigError: If it is neither; `flag` opens the message.
        """
        text = text.strip()
        if text.isdecimal() and int(text) >= 1:
            return cls(text, count=int(text))
        try:
            fraction = Fraction(text[:-1]) / 100 if text.endswith("%") else Fraction(0)
        except (ValueError, ZeroDivisionError):
            fraction = Fraction(0)
        if not 0 < fraction <= 1:
            raise ConfigError(f'{flag} "{text}": expected a number from 1 on, or a share up to 100% as 80%')
        return cls(text, fraction=fraction)

    def of(self, there: int) -> int:
        """How many that is of so many, at least 1; part of a worker is a whole one.

        A number is that number, also if there are fewer.
        """
        return self.count or max(1, math.ceil(self.fraction * there))
