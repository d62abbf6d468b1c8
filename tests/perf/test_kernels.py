"""How fast kernels are next to numpy and C: `pytest tests/perf --benchmark-only`.

Compare within one run only. Every benchmark works on a 1 MiB chunk of float32, as a transfer delivers it.
"""

import ctypes
import shutil
import subprocess

import numpy as np
import pytest

import zfed_kernels
from zfed_kernels import reference

SIZE = 2**18
GRID = 2.0**-40
AXPY = """
void axpy(long n, double a, const float *restrict x, double *restrict y) {
    for (long i = 0; i < n; i++) y[i] += a * x[i];
}
"""


@pytest.fixture
def update():
    return np.random.default_rng(0).standard_normal(SIZE, np.float32)


@pytest.fixture
def total():
    return np.zeros(SIZE)


@pytest.fixture(scope="module")
def c_axpy(tmp_path_factory):
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.skip("gcc is not installed")
    folder = tmp_path_factory.mktemp("axpy")
    (folder / "axpy.c").write_text(AXPY)
    command = [compiler, "-O3", "-march=native", "-shared", "-fPIC", "-o", "axpy.so", "axpy.c"]
    subprocess.run(command, cwd=folder, check=True)
    function = ctypes.CDLL(str(folder / "axpy.so")).axpy
    function.argtypes = [ctypes.c_long, ctypes.c_double, ctypes.c_void_p, ctypes.c_void_p]
    function.restype = None
    return function


@pytest.mark.benchmark(group="accumulate 1 MiB")
@pytest.mark.parametrize("module", [zfed_kernels, reference], ids=["kernel", "numpy"])
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_accumulate_exact(benchmark, module, dtype, total, update):
    benchmark(module.accumulate_exact, total, update.astype(dtype), 3.0, GRID)


@pytest.mark.benchmark(group="accumulate 1 MiB")
@pytest.mark.parametrize("module", [zfed_kernels, reference], ids=["kernel", "numpy"])
def test_accumulate(benchmark, module, total, update):
    benchmark(module.accumulate, total, update, 3.0)


@pytest.mark.benchmark(group="accumulate 1 MiB")
def test_accumulate_in_c(benchmark, c_axpy, total, update):
    benchmark(c_axpy, SIZE, 3.0, update.ctypes.data, total.ctypes.data)


@pytest.mark.benchmark(group="scan 1 MiB")
@pytest.mark.parametrize("module", [zfed_kernels, reference], ids=["kernel", "numpy"])
def test_scan(benchmark, module, update):
    benchmark(module.scan, update)


@pytest.mark.benchmark(group="finish 1 MiB")
@pytest.mark.parametrize("module", [zfed_kernels, reference], ids=["kernel", "numpy"])
def test_finish_mean(benchmark, module, total, update):
    benchmark(module.finish_mean, np.empty_like(update), update, total, 1.0, 1.0)


@pytest.mark.benchmark(group="Gaussian noise on 1 MiB")
def test_add_gaussian_noise(benchmark, update):
    benchmark(zfed_kernels.add_gaussian_noise, update, 1.0, key=1)


@pytest.mark.benchmark(group="Gaussian noise on 1 MiB")
def test_numpy_gaussian_noise(benchmark, update):
    generator = np.random.Generator(np.random.SFC64(1))
    benchmark(lambda: np.add(update, generator.standard_normal(SIZE, np.float32), out=update))
