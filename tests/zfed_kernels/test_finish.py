"""What ends a round: one step to the new model, and everything that a check of it would find."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zfed_kernels import finish_mean, finish_momentum, scan

FLOAT32_MAX = np.finfo(np.float32).max
SIZES = st.integers(0, 3) | st.integers(500, 1600)


def test_finish_mean_steps_along_the_mean_and_leaves_the_sum():
    total = np.array([6.0, -3.0])
    out = np.empty(2, np.float32)
    finish_mean(out, np.array([1, 1], np.float32), total, 3.0, 0.5)
    np.testing.assert_array_equal(total, [6.0, -3.0])
    np.testing.assert_array_equal(out, np.array([2.0, 0.5], np.float32))


def test_finish_momentum_carries_velocity_over():
    velocity, out = np.zeros(1, np.float32), np.zeros(1, np.float32)
    for expected_velocity, expected_out in [(1.0, 0.5), (1.5, 1.25), (1.75, 2.125)]:
        finish_momentum(out, velocity, out.copy(), velocity.copy(), np.array([2.0]), 2.0, 0.5, 0.5)
        assert (velocity[0], out[0]) == (expected_velocity, expected_out)


@given(SIZES, st.floats(1e-3, 1e3), st.integers(0, 2**32))
@settings(deadline=None)
def test_largest_is_what_a_scan_of_the_means_finds(size, weight, seed):
    """To the bit: it decides the next round's grid, which is journaled."""
    rng = np.random.default_rng(seed)
    total = rng.standard_normal(size) * 10.0 ** rng.uniform(-6, 6, size)
    base = rng.standard_normal(size).astype(np.float32)
    found = finish_mean(np.empty_like(base), base, total, weight, 1.0)
    assert (found.largest, found.first_bad_mean, found.first_bad) == (scan(total / weight).largest, -1, -1)


@given(SIZES.filter(bool), st.data(), st.sampled_from([np.nan, np.inf, -np.inf]), st.booleans())
@settings(deadline=None)
def test_the_first_mean_that_is_not_finite_is_found(size, data, bad, with_momentum):
    where = data.draw(st.lists(st.integers(0, size - 1), min_size=1, max_size=3))
    total, base = np.ones(size), np.ones(size, np.float32)
    total[where] = bad
    if with_momentum:
        found = finish_momentum(base.copy(), base.copy(), base, base, total, 2.0, 1.0, 0.9)
    else:
        found = finish_mean(base.copy(), base, total, 2.0, 1.0)
    assert (found.largest, found.first_bad_mean, found.first_bad) == (np.inf, min(where), min(where))


def test_a_sum_that_overflows_when_divided_is_no_finite_mean():
    out = np.empty(2)
    found = finish_mean(out, np.zeros(2), np.array([1.0, 1e300]), 1e-10, 1.0)
    assert (found.largest, found.first_bad_mean, found.first_bad) == (np.inf, 1, 1)


@pytest.mark.parametrize("momentum", [None, 0.9])
def test_a_step_that_leaves_float32_is_found_though_the_mean_is_finite(momentum):
    base = np.full(700, FLOAT32_MAX)
    total = np.zeros(700)
    total[[600, 650]] = FLOAT32_MAX
    out = np.empty_like(base)
    if momentum is None:
        found = finish_mean(out, base, total, 2.0, 1.0)
    else:
        zeros = np.zeros_like(base)
        found = finish_momentum(out, zeros.copy(), base, zeros, total, 2.0, 1.0, momentum)
    assert (found.largest, found.first_bad_mean, found.first_bad) == (FLOAT32_MAX / 2, -1, 600)


def test_a_velocity_that_leaves_float32_shows_in_the_new_values():
    last = np.full(3, FLOAT32_MAX)
    velocity, base = np.empty_like(last), np.zeros_like(last)
    found = finish_momentum(np.empty_like(last), velocity, base, last, np.full(3, 1e38), 1.0, 1e-30, 0.9)
    assert not np.isfinite(velocity).any()
    assert (found.first_bad_mean, found.first_bad) == (-1, 0)
