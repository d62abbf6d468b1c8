"""zfed's loops over flat arrays. Importing this loads numpy only; numba comes with the first call."""

from zfed_kernels._kernel import warm_up
from zfed_kernels.noise import add_gaussian_noise
from zfed_kernels.reduction import accumulate, accumulate_exact, finish_mean, finish_momentum, scale
from zfed_kernels.reference import Scan
from zfed_kernels.scan import scan

__all__ = [
    "Scan",
    "accumulate",
    "accumulate_exact",
    "add_gaussian_noise",
    "finish_mean",
    "finish_momentum",
    "scale",
    "scan",
    "warm_up",
]
