"""Laws of the exact sum: any order, any slicing, any thread, one result, and that one close to the truth."""

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zfed_kernels import accumulate, accumulate_exact, accumulate_exact_many, finish_mean, scale, store_exact

GRID = 2.0**-40
FLOAT32_MAX = float(np.finfo(np.float32).max)


def grid_for(sum_of_weights: float, value_range: float) -> float:
    return 2.0 ** (math.ceil(math.log2(sum_of_weights * value_range)) - 51)


def exact_sum(updates, weights, grid, order):
    total = np.zeros(updates[0].size)
    for index in order:
        accumulate_exact(total, updates[index], weights[index], grid)
    return total


@st.composite
def rounds(draw):
    """Updates over six decades and more, their whole weights, and a grid on which they fit."""
    count = draw(st.integers(1, 8))
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    size = draw(st.integers(1, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    updates = [
        (rng.standard_normal(size) * 10.0 ** rng.uniform(-6, 0, size)).astype(dtype) for _ in range(count)
    ]
    weights = [float(rng.integers(1, 100_000)) for _ in range(count)]
    value_range = max(float(np.abs(update).max()) for update in updates)
    return updates, weights, grid_for(sum(weights), value_range)


@given(rounds(), st.randoms())
@settings(deadline=None)
def test_sum_has_the_same_bytes_in_any_order(one_round, random):
    updates, weights, grid = one_round
    order = list(range(len(updates)))
    straight = exact_sum(updates, weights, grid, order)
    random.shuffle(order)
    assert exact_sum(updates, weights, grid, order).tobytes() == straight.tobytes()


@given(rounds(), st.integers(0, 8))
@settings(deadline=None)
def test_sum_has_the_same_bytes_for_any_tree_of_relays(one_round, cut):
    updates, weights, grid = one_round
    order = range(len(updates))
    relayed = exact_sum(updates, weights, grid, order[:cut]) + exact_sum(updates, weights, grid, order[cut:])
    assert relayed.tobytes() == exact_sum(updates, weights, grid, order).tobytes()


def test_plain_sum_depends_on_the_order():
    """Else the test above would prove nothing."""
    rng = np.random.default_rng(0)
    updates = [(rng.standard_normal(5000) * 10.0 ** rng.uniform(-6, 0, 5000)) for _ in range(10)]
    forth, back = np.zeros(5000), np.zeros(5000)
    for update in updates:
        accumulate(forth, update, 3.0)
    for update in reversed(updates):
        accumulate(back, update, 3.0)
    assert forth.tobytes() != back.tobytes()


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
def test_sum_has_the_same_bytes_for_any_number_of_threads(threads):
    rng = np.random.default_rng(1)
    size = 100_003
    updates = [
        (rng.standard_normal(size) * 10.0 ** rng.uniform(-6, 0, size)).astype(np.float32) for _ in range(5)
    ]
    weights = [float(rng.integers(1, 1000)) for _ in updates]
    grid = grid_for(sum(weights), max(float(np.abs(update).max()) for update in updates))
    total = np.zeros(size)
    borders = np.linspace(0, size, 4 * threads + 1).astype(int)

    def fold(part: int) -> None:
        piece = slice(borders[part], borders[part + 1])
        for index in rng_order(part, len(updates)):  # each slice meets the updates in an order of its own
            accumulate_exact(total[piece], updates[index][piece], weights[index], grid)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(fold, range(4 * threads)))
    # on bits: pytest takes minutes to tell two long strings of bytes apart
    expected = exact_sum(updates, weights, grid, range(5))
    np.testing.assert_array_equal(total.view(np.uint64), expected.view(np.uint64))


def rng_order(seed: int, count: int) -> list[int]:
    return list(np.random.default_rng(seed).permutation(count))


@given(rounds())
@settings(deadline=None)
def test_mean_lies_within_the_bound_of_the_true_one(one_round):
    """Design section 6: |mean - exact| <= K q / (2 W) + half an ulp of the result."""
    updates, weights, grid = one_round
    weight = sum(weights)
    dtype = updates[0].dtype
    mean = np.empty(updates[0].size, dtype)
    total = exact_sum(updates, weights, grid, range(len(updates)))
    finish_mean(mean, np.zeros_like(mean), total, weight, 1.0)
    # float64 terms have more bits than a product can hold: each may be off by another q / 8
    worst = len(updates) * grid / (2 * weight) * (1 if dtype == np.float32 else 1.25)
    for i in range(mean.size):
        true = math.fsum(
            math.fsum(_exact_product(w, float(u[i]))) for w, u in zip(weights, updates, strict=True)
        )
        ulp = float(np.spacing(np.abs(mean[i])))
        # one more float64 rounding each in fsum, the division and the sum with the base
        assert abs(float(mean[i]) - true / weight) <= worst + ulp / 2 + 2**-51 * abs(true / weight)


def _exact_product(weight: float, value: float) -> list[float]:
    """weight * value as a sum without rounding: value is split so that both products fit 53 bits."""
    high = float(np.float32(value))
    return [weight * high, weight * (value - high)]


@given(st.floats(-1, 1), st.floats(1, 1000))
@settings(deadline=None)
def test_every_term_is_a_multiple_of_the_grid(value, weight):
    grid = grid_for(1000.0, 1.0)
    total = np.zeros(1)
    accumulate_exact(total, np.array([value]), weight, grid)
    assert (total[0] / grid).is_integer()
    assert abs(total[0] - weight * value) <= grid / 2


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_value_that_is_not_finite_is_never_hidden(bad, dtype):
    total = np.zeros(3)
    accumulate_exact(total, np.array([1, bad, 1], dtype), 2.0, 2.0**-30)
    np.testing.assert_array_equal(np.isfinite(total), [True, False, True])
    out = np.empty(3, np.float32)
    finish_mean(out, np.zeros(3, np.float32), total, 2.0, 1.0)
    np.testing.assert_array_equal(np.isfinite(out), [True, False, True])


def test_subnormal_and_huge_values_are_summed():
    subnormal = np.full(3, np.finfo(np.float32).smallest_subnormal)
    total = np.zeros(3)
    accumulate_exact(total, subnormal, 1.0, 2.0**-200)
    np.testing.assert_array_equal(total, subnormal)
    total = np.zeros(2)
    accumulate_exact(
        total, np.array([FLOAT32_MAX, -FLOAT32_MAX], np.float32), 4.0, grid_for(4.0, FLOAT32_MAX)
    )
    np.testing.assert_array_equal(total, [4 * FLOAT32_MAX, -4 * FLOAT32_MAX])


def test_a_vanishing_sum_is_positive_zero():
    """-0.0 and 0.0 are equal but not the same bytes, so an order could show."""
    total = np.zeros(2)
    accumulate_exact(total, np.array([-1e-30, -0.0]), 1.0, 2.0**-40)
    assert total.tobytes() == np.zeros(2).tobytes()


@given(rounds(), st.integers(0, 9), st.booleans())
@settings(deadline=None)
def test_adding_many_gives_the_bits_of_adding_one_after_another(one_round, count, fresh):
    updates, weights, grid = one_round
    before = exact_sum(updates, weights, grid, range(1))
    expected = np.zeros_like(before) if fresh else before.copy()
    for update, weight in zip(updates[:count], weights[:count], strict=True):
        accumulate_exact(expected, update, weight, grid)
    total = np.full_like(before, np.nan) if fresh else before
    accumulate_exact_many(total, updates[:count], weights[:count], grid, fresh=fresh)
    assert total.tobytes() == expected.tobytes()


def test_as_many_weights_as_updates_are_asked_for():
    total = np.zeros(1)
    with pytest.raises(ValueError, match="2 updates and 1 weights"):
        accumulate_exact_many(total, [np.ones(1)] * 2, [1.0], GRID, fresh=True)
    assert total == 0


@given(rounds())
@settings(deadline=None)
def test_storing_gives_the_bits_of_adding_to_zeros(one_round):
    updates, weights, grid = one_round
    total = np.full(updates[0].size, np.nan)
    store_exact(total, updates[0], weights[0], grid)
    assert total.tobytes() == exact_sum(updates, weights, grid, [0]).tobytes()


@pytest.mark.parametrize("count", [0, 1, 2])
def test_a_stored_zero_is_positive(count):
    """As in a sum onto zeros; a small negative term rounds to zero as well."""
    total = np.full(3, np.nan)
    zeros = np.array([-0.0, -1e-30, 0.0])
    accumulate_exact_many(total, [zeros] * count, [1.0] * count, GRID, fresh=True)
    assert total.tobytes() == np.zeros(3).tobytes()


def test_scale_rounds_once():
    values = np.array([1 / 3, 2 / 3], np.float32)
    expected = (values.astype(np.float64) * 0.1).astype(np.float32)
    scale(values, 0.1)
    np.testing.assert_array_equal(values, expected)
