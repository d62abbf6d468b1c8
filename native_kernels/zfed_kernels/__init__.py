"""zfed's loops over flat arrays. Importing this loads numpy only; numba comes with the first call."""

from zfed_kernels._kernel import warm_up
from zfed_kernels.adaptive import finish_adaptive, finish_yogi
from zfed_kernels.finish import finish_mean, finish_momentum
from zfed_kernels.noise import add_gaussian_noise
from zfed_kernels.quantise import (
    accumulate_bfloat16,
    accumulate_bfloat16_exact,
    accumulate_float16,
    accumulate_float16_exact,
    accumulate_int8,
    accumulate_int8_exact,
    float32_to_bfloat16,
    float32_to_float16,
    int8_scales,
    int8_to_float32,
    quantise_int8,
)
from zfed_kernels.reduction import (
    accumulate,
    accumulate_exact,
    accumulate_exact_many,
    accumulate_up_to_four,
    scale,
    store_exact,
)
from zfed_kernels.reference import Finish, Scan
from zfed_kernels.rows import dot, sort_columns, squared_distance
from zfed_kernels.scan import scan

__all__ = [
    "Finish",
    "Scan",
    "accumulate",
    "accumulate_bfloat16",
    "accumulate_bfloat16_exact",
    "accumulate_exact",
    "accumulate_exact_many",
    "accumulate_float16",
    "accumulate_float16_exact",
    "accumulate_int8",
    "accumulate_int8_exact",
    "accumulate_up_to_four",
    "add_gaussian_noise",
    "dot",
    "finish_adaptive",
    "finish_mean",
    "finish_momentum",
    "finish_yogi",
    "float32_to_bfloat16",
    "float32_to_float16",
    "int8_scales",
    "int8_to_float32",
    "quantise_int8",
    "scale",
    "scan",
    "sort_columns",
    "squared_distance",
    "store_exact",
    "warm_up",
]
