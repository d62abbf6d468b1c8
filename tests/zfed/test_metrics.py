import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zfed.metrics import weighted_mean

LARGEST = 1.7e308
weights = st.integers(0, 2**62)
numbers = st.floats(allow_nan=False, allow_infinity=False)


def test_metrics_are_averaged_by_weight_and_histograms_added():
    parts = [(1, {"loss": 1.0, "bins": {"0": 2.0}}), (3, {"loss": 2.0, "bins": {"0": 1.0, "1": 1.0}})]
    assert weighted_mean(parts) == {"loss": 1.75, "bins": {"0": 3.0, "1": 1.0}}


@pytest.mark.parametrize(("one", "other"), [(LARGEST, LARGEST), (LARGEST, -LARGEST)])
def test_a_metric_that_two_nodes_make_infinite_is_left_out_and_the_others_are_not(one, other):
    parts = [(4, {"loss": one, "bins": {"0": one}, "good": 1.0}), (4, {"loss": other, "bins": {"0": one}})]
    assert weighted_mean(parts) == {"good": 1.0}


@given(numbers, st.lists(st.integers(1, 2**40), min_size=1, max_size=5))
def test_what_all_nodes_agree_on_is_told_exactly(value, weights):
    agreed = weighted_mean([(weight, {"learning_rate": value}) for weight in weights])
    assert agreed in ({"learning_rate": value}, {})  # left out if its sum is infinite


@given(st.lists(st.tuples(weights, st.dictionaries(st.sampled_from("ab"), numbers)), max_size=4))
def test_whatever_finite_numbers_are_reported_their_mean_is_finite(parts):
    assert all(math.isfinite(mean) for mean in weighted_mean(parts).values())
