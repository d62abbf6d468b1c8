"""Kernels next to what they are measured by: `python -m tests.perf.kernel_ratios` prints the table.

Both sides of a row work on the same 12.5 million numbers (50 MB of float32, beyond the L2 cache) in turn,
and what counts is the median CPU time of each: other work on the machine takes wall time from both.
"""

from __future__ import annotations

import ctypes
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import zfed_kernels as kernels

SIZE = 12_500_000
GRID = 2.0**-30
REPEATS = 9
WEIGHTS = (3.0, 1.0, 2.0, 5.0)

C_SOURCE = """
void axpy(long n, float a, const float *restrict x, float *restrict y) {
    for (long i = 0; i < n; i++) y[i] += a * x[i];
}
void finish(long n, float *restrict out, const float *restrict base, const double *restrict total,
            double weight, double rate) {
    for (long i = 0; i < n; i++) out[i] = base[i] + rate * (total[i] / weight);
}
"""


class NoCompilerError(Exception):
    """There is no C compiler to compare with."""


@dataclass(frozen=True)
class Row:
    """One comparison.

    Attributes:
        what: The kernel.
        than: What it is measured by.
        ours: Runs the kernel once.
        theirs: Runs the other once.
        asked: The least `theirs` may take, in times of `ours`; None if nothing was asked for.
    """

    what: str
    than: str
    ours: Callable[[], object]
    theirs: Callable[[], object]
    asked: float | None = None


def ratio(row: Row) -> float:
    """CPU time of the other over that of the kernel: above 1 the kernel is the faster one."""
    seconds: dict[Callable[[], object], list[float]] = {row.ours: [], row.theirs: []}
    for side in seconds:
        side()  # compiled, its pages there
    for _ in range(REPEATS):
        for side, taken in seconds.items():
            began = time.thread_time()
            side()
            taken.append(time.thread_time() - began)
    return statistics.median(seconds[row.theirs]) / statistics.median(seconds[row.ours])


def sums() -> Iterator[Row]:
    """One pass over the sum next to several."""
    updates = [_normal(seed) for seed in range(len(WEIGHTS))]
    total = np.zeros(SIZE)

    def one_by_one(count: int) -> None:
        for update, weight in zip(updates[:count], WEIGHTS, strict=False):
            kernels.accumulate_exact(total, update, weight, GRID)

    def together(count: int) -> None:
        kernels.accumulate_exact_many(total, updates[:count], WEIGHTS[:count], GRID, fresh=False)

    def cleared() -> None:
        total.fill(0)
        one_by_one(1)

    yield Row(
        "first update stored",
        "clearing the sum and adding",
        lambda: kernels.store_exact(total, updates[0], WEIGHTS[0], GRID),
        cleared,
    )
    for count in (2, 3, 4):
        yield Row(
            f"{count} updates together",
            "one after another",
            lambda count=count: together(count),
            lambda count=count: one_by_one(count),
        )


def encoded() -> Iterator[Row]:
    """Updates in fewer bits next to plain ones."""
    update, total = _normal(0), np.zeros(SIZE)
    bfloat16, float16 = np.empty(SIZE, np.uint16), np.empty(SIZE, np.uint16)
    codes, scales = np.empty(SIZE, np.int8), np.empty(kernels.int8_scales(SIZE), np.float32)
    kernels.float32_to_bfloat16(bfloat16, update)
    kernels.float32_to_float16(float16, update)
    kernels.quantise_int8(codes, scales, update, key=1)

    def plain() -> None:
        kernels.accumulate_exact(total, update, 3.0, GRID)

    for name, asked, way in (
        ("bf16", 0.85, lambda: kernels.accumulate_bfloat16_exact(total, bfloat16, 3.0, GRID)),
        ("int8", 0.85, lambda: kernels.accumulate_int8_exact(total, codes, scales, 3.0, GRID)),
        ("fp16", None, lambda: kernels.accumulate_float16_exact(total, float16, 3.0, GRID)),
    ):
        yield Row(f"{name} decoded and summed, exact", "float32 summed, exact", way, plain, asked)


def medians() -> Iterator[Row]:
    """Coordinate medians, a block of columns at a time, next to numpy's of all at once."""
    for count, asked in ((7, 8.0), (10, 8.0), (20, None)):
        updates = [_normal(seed)[: SIZE // 10] for seed in range(count)]

        def by_network(updates: list[np.ndarray] = updates) -> None:
            median, space = np.empty(updates[0].size), np.empty((len(updates), 2**14), np.float32)
            for start in range(0, median.size, 2**14):
                out = median[start : start + 2**14]
                block = space[:, : out.size] if out.size == 2**14 else space[:, : out.size].copy()
                for row, update in zip(block, updates, strict=True):
                    row[:] = update[start : start + out.size]
                kernels.sort_columns(block)
                np.add(block[(len(block) - 1) // 2], block[len(block) // 2], out=out, dtype=np.float64)
                out *= 0.5

        stack = np.stack(updates)
        yield Row(
            f"median of {count}", "np.median of a stack", by_network, lambda s=stack: np.median(s, 0), asked
        )


def noise() -> Iterator[Row]:
    """Normal numbers next to numpy's fastest."""
    values = np.zeros(SIZE, np.float32)
    generator = np.random.Generator(np.random.SFC64(1))
    yield Row(
        "Gaussian noise, added",
        "numpy's float32 normals, added",
        lambda: kernels.add_gaussian_noise(values, 1.0, key=1),
        lambda: np.add(values, generator.standard_normal(SIZE, np.float32), out=values),
        asked=1.7,
    )


def next_to_c() -> Iterator[Row]:
    """Kernels next to what a C compiler makes of the plainest loop.

    Raises:
        NoCompilerError: If gcc is not installed.
    """
    c = _compiled_c()
    update, base, out = _normal(0), _normal(1), np.empty(SIZE, np.float32)
    sums, total = np.zeros(SIZE, np.float32), np.zeros(SIZE)

    def axpy() -> None:
        c.axpy(SIZE, 3.0, update.ctypes.data, sums.ctypes.data)

    yield Row(
        "float32 sum", "C axpy, float32", lambda: kernels.accumulate(sums, update, 3.0), axpy, asked=0.9
    )
    yield Row(
        "exact sum",
        "C axpy, float32",
        lambda: kernels.accumulate_exact(total, update, 3.0, GRID),
        axpy,
        asked=0.5,
    )
    yield Row(
        "new model, checked",
        "the same in C, not checked",
        lambda: kernels.finish_mean(out, base, total, 11.0, 1.0),
        lambda: c.finish(SIZE, out.ctypes.data, base.ctypes.data, total.ctypes.data, 11.0, 1.0),
    )


TABLES = (sums, encoded, medians, noise, next_to_c)


def _normal(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(SIZE, np.float32)


def _compiled_c() -> ctypes.CDLL:
    compiler = shutil.which("gcc")
    if compiler is None:
        raise NoCompilerError("gcc is not installed: no comparison with C")
    with tempfile.TemporaryDirectory() as folder:
        source, library = Path(folder, "loops.c"), Path(folder, "loops.so")
        source.write_text(C_SOURCE)
        flags = ["-O3", "-march=native", "-shared", "-fPIC"]
        subprocess.run([compiler, *flags, "-o", library, source], check=True)
        c = ctypes.CDLL(str(library))
    c.axpy.argtypes = [ctypes.c_long, ctypes.c_float, ctypes.c_void_p, ctypes.c_void_p]
    c.finish.argtypes = [ctypes.c_long, *[ctypes.c_void_p] * 3, ctypes.c_double, ctypes.c_double]
    c.axpy.restype = c.finish.restype = None
    return c


def main() -> None:
    """Print a table in Markdown."""
    say = sys.stdout.write
    say("| kernel | than | times as fast | asked for |\n|---|---|---|---|\n")
    for table in TABLES:
        try:
            for row in table():
                asked = "" if row.asked is None else f"{row.asked:g}"
                say(f"| {row.what} | {row.than} | {ratio(row):.2f} | {asked} |\n")
        except NoCompilerError as error:
            say(f"\n{error}\n")


if __name__ == "__main__":
    main()
