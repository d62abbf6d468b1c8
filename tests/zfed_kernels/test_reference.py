"""One table pairs each kernel with its reference; whatever is in it must agree to the bit."""

from collections.abc import Callable
from typing import Any

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import zfed_kernels
from zfed_kernels import noise, quantise, reference, rows

GRID = 2.0**-40


def update_like(dtype: str, rng: np.random.Generator, size: int) -> np.ndarray:
    """Finite values over many decades, with zeros, subnormals and extremes among them."""
    if dtype == "bfloat16":
        return (update_like("float32", rng, size).view(np.uint32) >> 16).astype(np.uint16)
    limits = np.finfo(dtype)
    values = (rng.standard_normal(size) * 10.0 ** rng.uniform(-6, 2, size)).astype(dtype)
    special = np.array([0.0, -0.0, limits.smallest_subnormal, limits.max, limits.min], dtype)
    where = rng.integers(0, 20, size)
    return np.where(where < special.size, special[where % special.size], values)


def bits(array: np.ndarray) -> np.ndarray:
    """Bytes, so that NaN equals itself and -0.0 does not equal 0.0."""
    return np.frombuffer(array.tobytes(), np.uint8)


def arrays(*dtypes: str) -> Callable[[np.random.Generator, int], list[np.ndarray]]:
    return lambda rng, size: [update_like(dtype, rng, size) for dtype in dtypes]


def moments(dtype: str, total: str) -> Callable[[np.random.Generator, int], list[np.ndarray]]:
    """Three outputs, a base, a mean of updates, one of their squares and a sum of updates."""
    return lambda rng, size: [
        *(update_like(dtype, rng, size) for _ in range(5)),
        np.abs(update_like(dtype, rng, size)),
        update_like(total, rng, size),
    ]


def words(outputs: int, inputs: int) -> Callable[[np.random.Generator, int], list[np.ndarray]]:
    return lambda rng, size: [
        *(np.zeros(size, np.float32) for _ in range(outputs)),
        *(rng.integers(0, 2**32, size, np.uint32) for _ in range(inputs)),
    ]


def halves(dtype: str, *total: str) -> Callable[[np.random.Generator, int], list[np.ndarray]]:
    return lambda rng, size: [
        *(update_like(each, rng, size) for each in total),
        update_like(dtype, rng, size).view(np.uint16),
    ]


def coded(total: str) -> Callable[[np.random.Generator, int], list[np.ndarray]]:
    """A total, codes and a scale for every 256 of them."""
    return lambda rng, size: [
        update_like(total, rng, size),
        rng.integers(-127, 128, size).astype(np.int8),
        rng.random(quantise.int8_scales(size), np.float32),
    ]


def to_code(rng: np.random.Generator, size: int) -> list[np.ndarray]:
    return [
        np.ones(size, np.int8),
        np.ones(quantise.int8_scales(size), np.float32),
        update_like("float32", rng, size) * np.repeat([0, 1, 1, 1], 256 * 8)[:size].astype(np.float32),
        rng.integers(0, 2**32, size, np.uint32),
    ]


def normal(*dtypes: str) -> Callable[[np.random.Generator, int], list[np.ndarray]]:
    """Numbers whose products no dtype overflows."""
    return lambda rng, size: [rng.standard_normal(size).astype(dtype) for dtype in dtypes]


def seven_rows(dtype: str) -> Callable[[np.random.Generator, int], list[np.ndarray]]:
    """A matrix of 7 x 300 values, whatever the size, and the pairs that sort its columns."""
    return lambda rng, size: [update_like(dtype, rng, 7 * 300), *rows.sorting_network(7)]


# kernel, reference, arrays of one call, its numbers, how many of the arrays it writes
PAIRS: list[tuple[Any, Any, Any, tuple[float, ...], int]] = [
    *(
        (getattr(zfed_kernels, name), getattr(reference, name), arrays("float64", update), (3.7, GRID), 1)
        for name in ("accumulate_exact", "store_exact")
        for update in ("float64", "float32", "float16", "bfloat16")
    ),
    *(
        (
            zfed_kernels.accumulate_up_to_four,
            reference.accumulate_up_to_four,
            arrays("float64", *[update] * 4),
            (3.7, 1.0, 0.0, 2.5, count, GRID, fresh),
            1,
        )
        for update in ("float64", "float32", "float16", "bfloat16")
        for count, fresh in ((2, False), (3, True), (4, False), (4, True))
    ),
    *(
        (zfed_kernels.accumulate, reference.accumulate, arrays(total, update), (3.7,), 1)
        for total in ("float64", "float32")
        for update in ("float64", "float32", "float16", "bfloat16")
        if (total, update) != ("float32", "float64")
    ),
    *((zfed_kernels.scale, reference.scale, arrays(dtype), (0.3,), 1) for dtype in ("float32", "float64")),
    *(
        (zfed_kernels.scan, reference.scan, arrays(d), (), 0)
        for d in ("float64", "float32", "float16", "bfloat16")
    ),
    *(
        (zfed_kernels.finish_mean, reference.finish_mean, arrays(dtype, dtype, total), (7.0, 0.3), 1)
        for dtype, total in (("float32", "float32"), ("float32", "float64"), ("float64", "float64"))
    ),
    *(
        (
            zfed_kernels.finish_momentum,
            reference.finish_momentum,
            arrays(dtype, dtype, dtype, dtype, total),
            (7.0, 0.3, 0.9),
            2,
        )
        for dtype, total in (("float32", "float32"), ("float32", "float64"), ("float64", "float64"))
    ),
    *(
        (
            getattr(zfed_kernels, name),
            getattr(reference, name),
            moments(dtype, total),
            (7.0, 0.3, 0.9, 1e-3, *numbers),
            3,
        )
        for name, numbers in (("finish_adaptive", (0.99, 0.01)), ("finish_yogi", (0.01,)))
        for dtype, total in (("float32", "float32"), ("float32", "float64"), ("float64", "float64"))
    ),
    *(
        (rows.exchange_rows, reference.exchange_rows, seven_rows(dtype), (300,), 1)
        for dtype in ("float32", "float64")
    ),
    *(
        (zfed_kernels.squared_distance, reference.squared_distance, arrays(*dtypes), (), 0)
        for dtypes in (("float32", "float32"), ("float32", "float64"), ("float64", "float64"))
    ),
    *((zfed_kernels.dot, reference.dot, normal(dtype, dtype), (), 0) for dtype in ("float32", "float64")),
    (noise.radius, reference.radius, words(1, 1), (), 1),
    (noise.cosine_and_sine, reference.cosine_and_sine, words(2, 1), (), 2),
    (noise.philox, reference.philox, words(0, 1), (2**40 + 5, 2**50 + 3, 2**63 + 9), 1),
    *(
        (getattr(quantise, f"{name}_exact"), getattr(reference, f"{name}_exact"), make, (3.7, GRID), 1)
        for name, make in (
            ("accumulate_bfloat16", halves("bfloat16", "float64")),
            ("accumulate_float16", halves("float16", "float64")),
            ("accumulate_int8", coded("float64")),
        )
    ),
    *(
        (getattr(quantise, name), getattr(reference, name), make, (3.7,), 1)
        for total in ("float32", "float64")
        for name, make in (
            ("accumulate_bfloat16", halves("bfloat16", total)),
            ("accumulate_float16", halves("float16", total)),
            ("accumulate_int8", coded(total)),
        )
    ),
    (quantise.int8_to_float32, reference.int8_to_float32, coded("float32"), (), 1),
    (quantise.float32_to_int8, reference.float32_to_int8, to_code, (), 2),
    *(
        (
            getattr(quantise, name),
            getattr(reference, name),
            lambda rng, size: [np.zeros(size, np.uint16), update_like("float32", rng, size)],
            (),
            1,
        )
        for name in ("float32_to_bfloat16", "float32_to_float16")
    ),
]


@pytest.mark.parametrize("size", [0, 1, 4, 1023, 1024, 4099])
@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair[0].__name__)
@pytest.mark.filterwarnings("ignore:overflow encountered")
@pytest.mark.filterwarnings("ignore:invalid value encountered")  # infinity less infinity
def test_kernel_gives_the_bits_of_its_reference(pair, size):
    kernel, oracle, make, numbers, _ = pair
    size -= size % 4 if kernel is noise.philox else 0  # Philox makes four words at a time
    given_arrays = make(np.random.default_rng(size), size)
    seen = [array.copy() for array in given_arrays]
    expected = [array.copy() for array in given_arrays]
    assert kernel(*seen, *numbers) == oracle(*expected, *numbers)
    for index, (array, wanted) in enumerate(zip(seen, expected, strict=True)):
        np.testing.assert_array_equal(bits(array), bits(wanted), err_msg=f"array {index}")


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair[0].__name__)
@pytest.mark.filterwarnings("ignore:overflow encountered")
@pytest.mark.filterwarnings("ignore:invalid value encountered")  # infinity less infinity
def test_kernel_reads_read_only_and_unaligned_inputs_and_leaves_them(pair):
    kernel, oracle, make, numbers, outputs = pair
    values = make(np.random.default_rng(1), 96)
    expected = [array.copy() for array in values]
    oracle(*expected, *numbers)
    inputs = [_read_only_at_odd_address(array) for array in values[outputs:]]
    kernel(*values[:outputs], *inputs, *numbers)
    for array, wanted in zip([*values[:outputs], *inputs], expected, strict=True):
        np.testing.assert_array_equal(bits(array), bits(wanted))


def test_every_public_kernel_is_in_the_table():
    paired = {pair[0].__name__ for pair in PAIRS}
    assert {each.__name__ for each in zfed_kernels._kernel._kernels} == paired


@given(hnp.arrays(np.uint16, st.integers(0, 50)))
@settings(deadline=None)
def test_bfloat16_widens_to_the_float32_of_the_same_upper_bits(bits):
    wide = reference.widened(bits)
    assert wide.dtype == np.float32
    np.testing.assert_array_equal(wide.view(np.uint32), bits.astype(np.uint32) << 16)


def _read_only_at_odd_address(array: np.ndarray) -> np.ndarray:
    raw = bytearray(1 + array.nbytes)
    raw[1:] = array.tobytes()
    shifted = np.frombuffer(raw, array.dtype, offset=1)
    shifted.flags.writeable = False
    return shifted
