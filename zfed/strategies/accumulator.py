"""How the updates of a round are summed: exactly, or in float32 and so in half the memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from zfed.config.nearest import suggestion
from zfed.errors import ConfigError
from zfed.strategies.pieces import Array
from zfed_kernels import accumulate, accumulate_exact_many

_FLOAT32, _FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)


class Accumulator(NamedTuple):
    """A way to sum.

    Attributes:
        dtypes: Of the sum of a float tensor, by the tensor's dtype.
        add: Called with (total, updates, weights, grid, fresh): adds weighted updates of one dtype to the
            total, or to zeros where `fresh` says that the total's values do not count.
        exact: True if terms are rounded to the grid.
    """

    dtypes: Mapping[str, np.dtype[Any]]
    add: Callable[[Array, Sequence[Array], Sequence[float], float, bool], None]
    exact: bool


def named_accumulator(name: str) -> Accumulator:
    """The accumulator of this name.

    Raises:
        ConfigError: If there is none; it tells the nearest.
    """
    if name not in ACCUMULATORS:
        raise ConfigError(f'accumulator "{name}" is unknown: {suggestion(name, ACCUMULATORS)}')
    return ACCUMULATORS[name]


def _add_exactly(
    total: Array, updates: Sequence[Array], weights: Sequence[float], grid: float, fresh: bool
) -> None:
    accumulate_exact_many(total, updates, weights, grid, fresh=fresh)


def _add_rounded(
    total: Array, updates: Sequence[Array], weights: Sequence[float], grid: float, fresh: bool
) -> None:
    """Each addition rounds to the total's dtype, so the grid is of no use and the order shows."""
    if fresh:
        total.fill(0)
    for update, weight in zip(updates, weights, strict=True):
        accumulate(total, update, weight)


ACCUMULATORS: Final[dict[str, Accumulator]] = {
    "exact": Accumulator(dict.fromkeys(("F64", "F32", "F16", "BF16"), _FLOAT64), _add_exactly, True),
    "float32": Accumulator(
        {"F64": _FLOAT64, **dict.fromkeys(("F32", "F16", "BF16"), _FLOAT32)}, _add_rounded, False
    ),
}
