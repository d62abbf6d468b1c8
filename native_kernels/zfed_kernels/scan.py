"""One look at an update while it is hot: finite, how large, how long."""

from __future__ import annotations

import numpy as np

from zfed_kernels import reference
from zfed_kernels._kernel import kernel
from zfed_kernels.reference import SCAN_LANES, Floats, Scan


@kernel(reference.scan, ("in float32",), ("in float64",))
def scan(values: Floats) -> Scan:
    """Find the first value that is not finite, the largest |x| and the sum of squares.

    values (p,) of any float dtype. Lanes that never meet before the end let the sums vectorise in a fixed
    order. Whether all is finite is read off the sum of squares, which keeps every NaN and infinity it met;
    a maximum of floats would lose them.
    """
    # Loops in place of np.zeros and an array's max(), which take longer to compile than all the rest
    squares = np.empty(SCAN_LANES)
    largest = np.empty(SCAN_LANES, values.dtype)
    for lane in range(SCAN_LANES):
        squares[lane], largest[lane] = 0.0, 0.0
    for start in range(0, values.size, SCAN_LANES):
        block = values[start : start + SCAN_LANES]
        for lane in range(block.size):
            magnitude = abs(block[lane])
            squares[lane] += np.float64(magnitude) * np.float64(magnitude)
            largest[lane] = magnitude if magnitude > largest[lane] else largest[lane]
    sum_of_squares, most = 0.0, 0.0
    for lane in range(SCAN_LANES):
        sum_of_squares += squares[lane]
        most = max(most, np.float64(largest[lane]))
    if not np.isfinite(sum_of_squares):  # or large float64 values overflowed when squared
        for i in range(values.size):
            if not np.isfinite(values[i]):
                return Scan(i, np.inf, np.inf)
    return Scan(-1, most, sum_of_squares)
