import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zfed.compression.top_k import TopK, largest

finite = {"allow_nan": False, "allow_infinity": False, "width": 32}
vectors = hnp.arrays(np.float32, st.integers(1, 300), elements=st.floats(**finite))


def encoded(codec, values):
    data = np.zeros(codec.nbytes(values.size), np.uint8)
    codec.encode(values, data, key=0, stream=0)
    return data


@given(vectors, st.data())
def test_the_largest_are_chosen_and_of_equal_ones_the_first(values, data):
    count = data.draw(st.integers(1, values.size))
    by_size = sorted(range(values.size), key=lambda index: (-abs(float(values[index])), index))
    np.testing.assert_array_equal(largest(values, count), sorted(by_size[:count]))


@given(vectors, st.sampled_from([0.01, 0.1, 0.5, 1.0]))
@settings(deadline=None)
def test_what_is_left_is_a_contraction(values, ratio):
    """arXiv 1809.07599, definition 2.1: |x - top_k(x)|**2 <= (1 - k / n) |x|**2."""
    codec, out = TopK(ratio), np.empty_like(values)
    codec.decode(encoded(codec, values), out)
    wide, kept = values.astype(np.float64), codec.kept(values.size)
    bound = (1 - kept / values.size) * np.sum(wide**2)
    assert np.sum((wide - out) ** 2) <= bound * (1 + 1e-12)
    assert np.all((out == values) | (out == 0))


def test_a_hundredth_takes_a_hundredth_and_a_half_of_the_bytes():
    assert TopK(0.01).nbytes(2**16) == 656 * 6
    assert TopK(0.01).nbytes(2**16) / 2**18 == pytest.approx(0.015, rel=2e-3)


def test_even_the_smallest_part_keeps_one_value():
    assert TopK(0.01).nbytes(1) == 6


def test_the_last_index_of_a_whole_part_fits_its_two_bytes():
    values = np.zeros(2**16, np.float32)
    values[-1] = 3
    codec, out = TopK(1e-5), np.empty_like(values)
    codec.decode(encoded(codec, values), out)
    np.testing.assert_array_equal(out, values)


@pytest.mark.parametrize(
    ("indices", "told"),
    [
        ([0, 0], "index 1 of a part is 0"),
        ([5, 4], "index 1 of a part is 4"),
        ([5, 200], "index 1 of a part is 200"),
        ([199, 200], "index 1 of a part is 200"),
    ],
)
def test_indices_out_of_place_are_told(indices, told):
    codec = TopK(0.01)
    data = encoded(codec, np.ones(200, np.float32))
    data[8:].view(np.uint16)[:] = indices
    fault = codec.fault(data, 200)
    assert fault is not None
    assert fault.code == "layout"
    assert fault.text == f"{told}, expected ascending ones below 200"


def test_a_kept_value_that_is_not_finite_is_told():
    codec = TopK(0.01)
    data = encoded(codec, np.ones(200, np.float32))
    data[:8].view(np.float32)[1] = np.nan
    fault = codec.fault(data, 200)
    assert fault == ("not-finite", "kept value 1 of a part is nan, expected finite")
