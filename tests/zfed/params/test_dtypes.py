import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from zfed.errors import LayoutError
from zfed.params import dtype_name, narrowed, widened
from zfed.params.dtypes import FLOATING, NUMPY_DTYPES

HALF_BITS = np.arange(1 << 16, dtype=np.uint16)


def finite_bfloat16() -> np.ndarray:
    numbers = widened(HALF_BITS, "BF16")
    return np.unique(numbers[np.isfinite(numbers)].astype(np.float64))


@pytest.mark.parametrize("name", sorted(NUMPY_DTYPES.keys() - {"BF16"}))
@pytest.mark.parametrize("order", ["<", ">", "="])
def test_dtype_name_ignores_the_byte_order(name: str, order: str) -> None:
    assert dtype_name(np.zeros(1, NUMPY_DTYPES[name].newbyteorder(order))) == name


@pytest.mark.parametrize("dtype", ["q", "l", "Q", "L", "i", "h"])
def test_every_c_integer_has_a_name(dtype: str) -> None:
    array = np.zeros(1, dtype)
    assert NUMPY_DTYPES[dtype_name(array)].itemsize == array.itemsize


@pytest.mark.parametrize("dtype", ["c8", "S3", "U3", "O", "M8[s]", "g"])
def test_what_no_model_file_holds_has_no_name(dtype: str) -> None:
    with pytest.raises(LayoutError, match="is not one of F64"):
        dtype_name(np.zeros(1, dtype))


@pytest.mark.parametrize("dtype", ["F16", "BF16"])
def test_widening_and_rounding_gives_every_half_precision_number_back(dtype: str) -> None:
    bits = HALF_BITS.view(NUMPY_DTYPES[dtype])
    again = narrowed(widened(bits, dtype), dtype)
    nan = np.isnan(widened(bits, dtype))
    np.testing.assert_array_equal(again.view(np.uint16)[~nan], HALF_BITS[~nan])
    assert np.isnan(widened(again[nan], dtype)).all()


@pytest.mark.parametrize("dtype", sorted(FLOATING))
@pytest.mark.parametrize("shape", [(), (0,), (2, 3)])
def test_shapes_are_kept(dtype: str, shape: tuple[int, ...]) -> None:
    wide = widened(np.zeros(shape, NUMPY_DTYPES[dtype]), dtype)
    assert wide.shape == shape
    assert wide.dtype == (np.float64 if dtype == "F64" else np.float32)
    small = narrowed(wide, dtype)
    assert (small.shape, small.dtype) == (shape, NUMPY_DTYPES[dtype])


def test_full_precision_is_not_copied() -> None:
    array = np.ones(3, np.float32)
    assert widened(array, "F32") is array


@given(
    st.floats(allow_nan=False) | st.floats(width=32, allow_nan=False),
    st.sampled_from([np.float32, np.float64]),
)
def test_bfloat16_is_the_nearest_and_of_two_the_even(number: float, wide: type[np.floating]) -> None:
    with np.errstate(over="ignore", under="ignore"):
        array = np.array([number], wide)
    number = float(array[0])
    bits = int(narrowed(array, "BF16")[0])
    result = float(widened(np.array([bits], np.uint16), "BF16")[0])
    if math.isinf(result):
        # from half a place beyond the largest one on, IEEE 754 rounds to infinity
        assert abs(number) >= (2 - 2**-8) * 2.0**127
        assert (number > 0) == (result > 0)
        return
    neighbours = finite_bfloat16()
    distance = abs(Fraction(number) - Fraction(result))
    index = int(np.searchsorted(neighbours, result))
    for other in (index - 1, index + 1):
        if 0 <= other < neighbours.size:
            gap = abs(Fraction(number) - Fraction(float(neighbours[other])))
            assert distance < gap or (distance == gap and bits % 2 == 0)


def test_bfloat16_of_float64_is_rounded_once() -> None:
    # float32 first would round this down to a tie, and the tie down to 1
    just_above_a_tie = np.array([1 + 2**-8 + 2**-40])
    assert widened(narrowed(just_above_a_tie, "BF16"), "BF16")[0] == 1 + 2**-7


@given(nps.arrays(np.uint32, 8))
def test_bfloat16_of_nan_is_nan(payload: np.ndarray) -> None:
    nans = (payload | np.uint32(0x7F800001)).view(np.float32)
    assert np.isnan(widened(narrowed(nans, "BF16"), "BF16")).all()
    assert np.isnan(widened(narrowed(np.full(3, np.nan), "BF16"), "BF16")).all()


def test_half_overflow_is_infinity_without_a_warning() -> None:
    np.testing.assert_array_equal(narrowed(np.array([1e6, -1e6], np.float32), "F16"), [np.inf, -np.inf])


@pytest.mark.parametrize("function", [widened, narrowed])
def test_integers_are_not_rounded(function) -> None:
    with pytest.raises(LayoutError, match="I32"):
        function(np.zeros(1, np.float32), "I32")
