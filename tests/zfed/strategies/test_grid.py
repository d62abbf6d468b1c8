import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zfed.errors import ConfigError
from zfed.strategies.grid import (
    FIRST_VALUE_RANGE,
    LARGEST_VALUE_RANGE,
    choose_grid,
    next_value_range,
)

weights = st.lists(st.floats(2.0**-16, 1e9), min_size=1, max_size=20)
ranges = st.floats(1e-12, 1e12)


def rounded_to_grid(term, grid):
    magic = 1.5 * 2.0**52 * grid
    return (term + magic) - magic


@given(weights, ranges)
def test_grid_is_the_smallest_power_of_two_that_holds_the_sum(max_weights, value_range):
    grid = choose_grid(max_weights, value_range)
    assert math.frexp(grid)[0] == 0.5
    sum_of_terms = sum(map(Fraction, max_weights)) * Fraction(value_range)
    assert sum_of_terms <= 2**51 * Fraction(grid)
    assert sum_of_terms > 2**50 * Fraction(grid)


@given(weights, ranges, st.data())
def test_every_partial_sum_is_exact(max_weights, value_range, data):
    grid = choose_grid(max_weights, value_range)
    total, exact = 0.0, Fraction(0)
    for weight in max_weights:
        value = data.draw(
            st.one_of(st.sampled_from([value_range, -value_range]), st.floats(-value_range, value_range))
        )
        term = rounded_to_grid(weight * value, grid)
        assert abs(Fraction(term) - Fraction(weight * value)) <= Fraction(grid) / 2
        total += term
        exact += Fraction(term)
        assert Fraction(total) == exact


@given(weights, ranges, st.randoms())
def test_grid_does_not_depend_on_the_order_of_the_cohort(max_weights, value_range, random):
    shuffled = list(max_weights)
    random.shuffle(shuffled)
    assert choose_grid(shuffled, value_range) == choose_grid(max_weights, value_range)


def test_one_worker_of_weight_one_gets_a_grid():
    assert choose_grid([1.0], 64.0) == 2.0 ** (6 - 51)
    assert choose_grid([1.0], np.nextafter(64.0, 100)) == 2.0 ** (7 - 51)


def test_workers_of_weight_zero_do_not_matter():
    assert choose_grid([0.0, 3.0], 1.0) == choose_grid([3.0], 1.0)


@pytest.mark.parametrize("max_weights", [[], [0.0], [1.0, -1.0], [math.nan], [math.inf]])
def test_weights_that_give_no_mean_are_refused(max_weights):
    with pytest.raises(ConfigError, match="not all 0"):
        choose_grid(max_weights, 1.0)


@pytest.mark.parametrize("value_range", [0.0, -1.0, math.nan, math.inf])
def test_a_range_that_is_none_is_refused(value_range):
    with pytest.raises(ConfigError, match="--value-range"):
        choose_grid([1.0], value_range)


def test_a_range_too_large_for_float64_is_refused():
    with pytest.raises(ConfigError, match="smaller --value-range"):
        choose_grid([1e6], 1e306)


def test_a_tiny_range_still_gives_a_normal_grid():
    assert choose_grid([1.0], 5e-324) == np.finfo(np.float64).tiny


def test_range_follows_the_last_commit():
    assert next_value_range(0.25, FIRST_VALUE_RANGE) == 256.0


def test_range_stays_when_nothing_moved():
    assert next_value_range(0.0, 3.5) == 3.5


def test_default_range_always_has_a_grid():
    assert next_value_range(1e308, 1.0) == LARGEST_VALUE_RANGE
    assert math.isfinite(choose_grid([2.0**53] * 1000, LARGEST_VALUE_RANGE))
