import math

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zfed_kernels import Scan, scan

floats = st.sampled_from([np.float16, np.float32, np.float64]).flatmap(
    lambda dtype: hnp.arrays(
        dtype, st.integers(0, 3000), elements={"allow_nan": False, "allow_infinity": False}
    )
)


@given(floats)
@settings(deadline=None)
@pytest.mark.filterwarnings("ignore:overflow encountered")
def test_finite_values_are_measured(values):
    found = scan(values)
    assert found.first_bad == -1
    assert found.largest == max((abs(float(value)) for value in values), default=0.0)
    try:
        squares = math.fsum(float(value) ** 2 for value in values)
    except OverflowError:
        squares = math.inf
    assert found.squares == pytest.approx(squares, rel=1e-12)


@given(st.integers(1, 3000), st.data())
@settings(deadline=None)
def test_first_value_that_is_not_finite_is_found_wherever_it_is(size, data):
    dtype = data.draw(st.sampled_from([np.float16, np.float32, np.float64]))
    bad = data.draw(st.lists(st.integers(0, size - 1), min_size=1, max_size=5))
    values = np.ones(size, dtype)
    for index in bad:
        values[index] = data.draw(st.sampled_from([np.nan, np.inf, -np.inf]))
    assert scan(values) == Scan(min(bad), math.inf, math.inf)


@pytest.mark.parametrize("payload", [0x7FC0_0000, 0x7F80_0001, 0xFFFF_FFFF, 0xFF80_0001])
def test_every_kind_of_nan_is_found(payload):
    values = np.zeros(5, np.uint32)
    values[3] = payload
    assert scan(values.view(np.float32)).first_bad == 3


def test_nan_in_bfloat16_bits_is_found():
    assert scan(np.array([0x3F80, 0x7FC0], np.uint16)).first_bad == 1
    assert scan(np.array([0x3F80, 0xC000], np.uint16)) == Scan(-1, 2.0, 5.0)


def test_overflowing_squares_are_not_taken_for_bad_values():
    assert scan(np.array([1e300, -1e301])) == Scan(-1, 1e301, math.inf)


def test_subnormal_values_are_not_lost():
    smallest = np.finfo(np.float32).smallest_subnormal
    assert scan(np.array([0, -smallest], np.float32)).largest == smallest


def test_empty_array_is_all_zero():
    assert scan(np.zeros(0, np.float32)) == Scan(-1, 0.0, 0.0)
