"""Amounts that are a number, or a share of what there is: "30", "10%"."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from zfed.errors import ConfigError

_SHARE = re.compile(r"(?P<number>[0-9]{1,9}(\.[0-9]{1,9})?)\s*%")
_COUNT = re.compile(r"[0-9]{1,9}")
_WHOLE: Final = Fraction(1)


@dataclass(frozen=True)
class Amount:
    """So many (`count`), or such a `share` of what there is, above 0 and at most 1; the other is None."""

    count: int | None = None
    share: Fraction | None = None

    @classmethod
    def parse(cls, text: str, flag: str) -> Amount:
        """Read "30", "10%" or "2.5 %"; `flag` names the setting in the message.

        Raises:
            ConfigError: If it is neither, or nothing, or more than all.
        """
        stripped = text.strip()
        if (share := _SHARE.fullmatch(stripped)) and 0 < (part := Fraction(share["number"]) / 100) <= _WHOLE:
            return cls(share=part)
        if _COUNT.fullmatch(stripped) and int(stripped) > 0:
            return cls(count=int(stripped))
        raise ConfigError(
            f"{flag} is {text!r}, expected a number, at least 1, or a share as 10%, above 0% and at most 100%"
        )

    def of(self, total: int) -> int:
        """How many that is of `total`: a share is rounded up, and never nobody. A number is itself."""
        if self.share is None:
            return self.count or 1
        return max(1, math.ceil(self.share * total))
