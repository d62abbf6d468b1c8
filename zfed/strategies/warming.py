"""Compiling what a round needs before it is needed."""

from __future__ import annotations

import zfed_kernels
from zfed_kernels import accumulate_exact, finish_mean, finish_momentum, scan


def warm_up() -> None:
    """Compile the kernels of checking, summing and finishing, for instance while workers connect.

    Those of compression and noise are compiled by whoever uses them; together they take far longer.
    """
    zfed_kernels.warm_up(scan, accumulate_exact, finish_mean, finish_momentum)
