"""How fast kernels are next to numpy and C: `pytest tests/perf --benchmark-only`.

Compare within one run only. Where nothing else is said, a benchmark works on a 1 MiB chunk of float32, as a
transfer delivers it. `python -m tests.perf.kernel_ratios` prints the ratios as a table.
"""

import numpy as np
import pytest

import zfed_kernels
from tests.perf.kernel_ratios import TABLES, NoCompilerError, ratio
from zfed_kernels import float32_to_bfloat16, float32_to_float16, int8_scales, quantise_int8, reference

SIZE = 2**18
GRID = 2.0**-40


@pytest.fixture
def update():
    return np.random.default_rng(0).standard_normal(SIZE, np.float32)


@pytest.fixture
def total():
    return np.zeros(SIZE)


@pytest.mark.benchmark(group="accumulate 1 MiB")
@pytest.mark.parametrize("module", [zfed_kernels, reference], ids=["kernel", "numpy"])
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_accumulate_exact(benchmark, module, dtype, total, update):
    benchmark(module.accumulate_exact, total, update.astype(dtype), 3.0, GRID)


@pytest.mark.benchmark(group="accumulate 1 MiB")
@pytest.mark.parametrize("module", [zfed_kernels, reference], ids=["kernel", "numpy"])
def test_accumulate(benchmark, module, total, update):
    benchmark(module.accumulate, total, update, 3.0)


@pytest.mark.benchmark(group="scan 1 MiB")
@pytest.mark.parametrize("module", [zfed_kernels, reference], ids=["kernel", "numpy"])
def test_scan(benchmark, module, update):
    benchmark(module.scan, update)


@pytest.mark.benchmark(group="finish 1 MiB")
@pytest.mark.parametrize("module", [zfed_kernels, reference], ids=["kernel", "numpy"])
def test_finish_mean(benchmark, module, total, update):
    benchmark(module.finish_mean, np.empty_like(update), update, total, 1.0, 1.0)


@pytest.mark.benchmark(group="encode 1 MiB")
@pytest.mark.parametrize("kernel", [float32_to_bfloat16, float32_to_float16], ids=["bfloat16", "float16"])
def test_encode_half(benchmark, kernel, update):
    benchmark(kernel, np.empty(SIZE, np.uint16), update)


@pytest.mark.benchmark(group="encode 1 MiB")
def test_encode_int8(benchmark, update):
    codes, scales = np.empty(SIZE, np.int8), np.empty(int8_scales(SIZE), np.float32)
    benchmark(quantise_int8, codes, scales, update, key=1)


@pytest.mark.benchmark(group="ratios of CPU time: see extra_info")
@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.__name__)
def test_kernels_are_as_fast_as_asked(benchmark, table):
    try:
        rows = list(table())
    except NoCompilerError as error:
        pytest.skip(str(error))
    found = benchmark.pedantic(lambda: {row.what: ratio(row) for row in rows}, rounds=1)
    benchmark.extra_info.update(found)
    assert not {row.what: found[row.what] for row in rows if row.asked and found[row.what] < row.asked}
