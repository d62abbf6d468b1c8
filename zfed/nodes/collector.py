"""Python's cycle collector, told what stays for good."""

from __future__ import annotations

import gc


def spare_what_stays() -> None:
    """Let the collector never look again at what is here now: modules, compiled kernels, types.

    Call it once these are loaded. A coordinator's are 100,000 objects, mostly numba's; with many workers each
    round fills the oldest generation again, and to look at them took 40 ms, in which no message is handled.
    What becomes garbage in a cycle among them later is not freed, so only what lives as long as the process
    should be there.
    """
    gc.collect()
    gc.freeze()
