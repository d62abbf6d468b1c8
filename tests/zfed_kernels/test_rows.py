import itertools
import math

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zfed_kernels import dot, sort_columns, squared_distance
from zfed_kernels.rows import sorting_network

finite = {"allow_nan": False, "allow_infinity": False}
matrices = hnp.arrays(np.float32, st.tuples(st.integers(0, 33), st.integers(0, 40)), elements=finite)
pairs_of_vectors = st.integers(0, 3000).flatmap(
    lambda size: st.tuples(
        *[hnp.arrays(np.float32, size, elements=st.floats(-1e6, 1e6, width=32))] * 2,
    )
)


@pytest.mark.parametrize("size", range(1, 13))
def test_the_network_sorts_all_zeros_and_ones_and_so_by_the_0_1_principle_everything(size):
    columns = np.array(list(itertools.product([0, 1], repeat=size)), np.float32).reshape(-1, size)
    rows = np.ascontiguousarray(columns.T)
    expected = np.sort(rows, axis=0)
    sort_columns(rows)
    np.testing.assert_array_equal(rows, expected)


@pytest.mark.parametrize("power", range(1, 8))
def test_the_network_has_as_many_comparisons_as_batchers(power):
    known = (power**2 - power + 4) * 2.0 ** (power - 2) - 1  # Knuth, volume 3, 5.2.2
    assert len(sorting_network(2**power)[0]) == known


@given(matrices)
@settings(deadline=None)
def test_columns_are_sorted_as_numpy_does(rows):
    expected = np.sort(rows, axis=0)
    sort_columns(rows)
    np.testing.assert_array_equal(rows, expected)


def test_columns_that_take_several_turns_are_sorted():
    rows = np.random.default_rng(1).standard_normal((9, 1000))
    expected = np.sort(rows, axis=0)
    sort_columns(rows)
    np.testing.assert_array_equal(rows, expected)


def test_nan_is_never_lost():
    for place in range(7):
        rows = np.arange(7, dtype=np.float32).reshape(7, 1)
        rows[place] = np.nan
        sort_columns(rows)
        assert np.isnan(rows).sum() == 1


def test_what_is_no_contiguous_matrix_is_refused():
    for rows in (np.zeros(3), np.zeros((2, 3, 4)), np.zeros((4, 6))[:, ::2]):
        with pytest.raises(ValueError, match="contiguous matrix"):
            sort_columns(rows)


@given(pairs_of_vectors)
@settings(deadline=None)
def test_distances_and_products_are_those_of_exact_sums(vectors):
    one, other = (vector.astype(np.float64) for vector in vectors)
    wanted = math.fsum((one - other) ** 2)
    assert squared_distance(*vectors) == pytest.approx(wanted, rel=1e-12)
    assert squared_distance(vectors[0], other) == squared_distance(*vectors)
    scale = math.fsum(abs(one * other))
    assert dot(*vectors) == pytest.approx(math.fsum(one * other), abs=1e-12 * scale + 1e-300)


def test_distances_beyond_float64_are_infinite():
    assert squared_distance(np.array([1e300]), np.array([-1e300])) == math.inf
