"""Compiling what a round needs before it is needed."""

from __future__ import annotations

import zfed_kernels
from zfed_kernels import accumulate_exact, accumulate_up_to_four, finish_mean, scan, store_exact


def warm_up() -> None:
    """Compile the kernels of checking, summing and finishing float32, for instance while workers connect.

    Those of compression, noise, momentum and float64 are compiled by whoever uses them; together they take
    far longer.
    """
    zfed_kernels.warm_up(scan, accumulate_exact, store_exact, accumulate_up_to_four, finish_mean)
