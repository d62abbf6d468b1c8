"""The step q of the exact accumulator, and the range of values it is made for.

Both are pure functions of what is journaled when a round opens, so every machine chooses the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Final

from zfed.errors import ConfigError

FIRST_VALUE_RANGE: Final = 2.0**6
"""Largest |delta| an update may hold before any commit has shown what is usual."""

HEADROOM: Final = 2.0**10
"""How many times as large as any in the last commit's updates a value of the next round may be."""

LARGEST_VALUE_RANGE: Final = 2.0**900
"""Cap of the default range, so that a grid exists for it and any weights up to 2**122."""

_TERM_BITS: Final = 51  # (v + m) - m rounds |v| <= 2**51 q to the grid, see zfed_kernels.accumulate_exact
_SMALLEST_EXPONENT: Final = -1022  # of a normal float64: a coarser grid than needed is exact, too
_LARGEST_EXPONENT: Final = 970  # 1.5 * 2**52 * q is still finite


def choose_grid(max_weights: Sequence[float], value_range: float) -> float:
    """The smallest power of two q for which every sum of rounded terms is exact in float64.

    With W the sum of `max_weights`, a sum of terms weight * value is at most W * value_range in magnitude;
    that must not exceed 2**51 q.

    Args:
        max_weights: Largest weight each update of the round may have, at least 0.
        value_range: Largest |value| an update may hold, greater than 0.

    Raises:
        ConfigError: If a number is not finite, negative, all weights are 0, or the product leaves float64.
    """
    weights = list(max_weights)
    if not all(math.isfinite(weight) and weight >= 0 for weight in weights) or not any(weights):
        raise ConfigError(f"weights {weights} of a round: expected finite numbers from 0 on, not all 0")
    if not (math.isfinite(value_range) and value_range > 0):
        raise ConfigError(
            f"value range is {value_range}, expected a finite number above 0: see --value-range"
        )
    exponent = _ceil_log2(sum(map(Fraction, weights)) * Fraction(value_range)) - _TERM_BITS
    if exponent > _LARGEST_EXPONENT:
        raise ConfigError(
            f"value range {value_range:g} times the sum {math.fsum(weights):g} of the weights is too large "
            "to sum in float64: choose a smaller --value-range"
        )
    return math.ldexp(1.0, max(exponent, _SMALLEST_EXPONENT))


def next_value_range(largest: float, previous: float) -> float:
    """The default range after a commit.

    Args:
        largest: Largest |value| of the updates in that commit; 0 if nothing moved, which says nothing. Not of
            their mean: near convergence workers with different data pull in opposite directions, and the
            mean says little of how far.
        previous: The range of its round.
    """
    return min(HEADROOM * largest, LARGEST_VALUE_RANGE) if largest > 0 else previous


def _ceil_log2(number: Fraction) -> int:
    """Smallest e with number <= 2**e, for number > 0; exact, where math.log2 may round down."""
    exponent = number.numerator.bit_length() - number.denominator.bit_length()
    return exponent if number <= Fraction(2) ** exponent else exponent + 1
