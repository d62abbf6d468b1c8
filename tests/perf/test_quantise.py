"""How fast encoded updates are summed next to plain ones: `pytest tests/perf --benchmark-only`.

Compare within one run only: 2**18 numbers, which are 1 MiB of float32.
"""

import numpy as np
import pytest

from zfed_kernels import (
    accumulate_bfloat16_exact,
    accumulate_exact,
    accumulate_float16_exact,
    accumulate_int8_exact,
    float32_to_bfloat16,
    float32_to_float16,
    int8_scales,
    quantise_int8,
)

SIZE = 2**18
GRID = 2.0**-40


@pytest.fixture
def update():
    return np.random.default_rng(0).standard_normal(SIZE, np.float32)


@pytest.fixture
def total():
    return np.zeros(SIZE)


@pytest.mark.benchmark(group="accumulate 2**18 encoded numbers")
def test_accumulate_float32(benchmark, total, update):
    benchmark(accumulate_exact, total, update, 3.0, GRID)


@pytest.mark.benchmark(group="accumulate 2**18 encoded numbers")
def test_accumulate_bfloat16(benchmark, total, update):
    bits = np.empty(SIZE, np.uint16)
    float32_to_bfloat16(bits, update)
    benchmark(accumulate_bfloat16_exact, total, bits, 3.0, GRID)


@pytest.mark.benchmark(group="accumulate 2**18 encoded numbers")
@pytest.mark.parametrize("scale", [1, 1e-5], ids=["normal", "subnormal"])
def test_accumulate_float16(benchmark, total, update, scale):
    bits = np.empty(SIZE, np.uint16)
    float32_to_float16(bits, update * np.float32(scale))
    benchmark(accumulate_float16_exact, total, bits, 3.0, GRID)


@pytest.mark.benchmark(group="accumulate 2**18 encoded numbers")
def test_accumulate_int8(benchmark, total, update):
    codes, scales = np.empty(SIZE, np.int8), np.empty(int8_scales(SIZE), np.float32)
    quantise_int8(codes, scales, update, key=1)
    benchmark(accumulate_int8_exact, total, codes, scales, 3.0, GRID)


@pytest.mark.benchmark(group="encode 2**18 numbers")
@pytest.mark.parametrize("kernel", [float32_to_bfloat16, float32_to_float16], ids=["bfloat16", "float16"])
def test_encode_half(benchmark, kernel, update):
    benchmark(kernel, np.empty(SIZE, np.uint16), update)


@pytest.mark.benchmark(group="encode 2**18 numbers")
def test_encode_int8(benchmark, update):
    codes, scales = np.empty(SIZE, np.int8), np.empty(int8_scales(SIZE), np.float32)
    benchmark(quantise_int8, codes, scales, update, key=1)
