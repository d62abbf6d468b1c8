import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zfed.errors import TaskError
from zfed.metrics import MAX_METRICS, checked_rules, merge_metrics

LARGEST = 1.7e308
RULES = {"total": "sum", "worst": "max", "least": "min"}
weights = st.integers(0, 2**62)
numbers = st.floats(allow_nan=False, allow_infinity=False)
metrics = st.dictionaries(st.sampled_from(["loss", *RULES]), numbers) | st.fixed_dictionaries(
    {"bins": st.dictionaries(st.sampled_from("01"), numbers)}
)
parts = st.lists(st.tuples(weights, metrics), max_size=6)


def test_metrics_are_averaged_by_weight_and_histograms_added():
    parts = [(1, {"loss": 1.0, "bins": {"0": 2.0}}), (3, {"loss": 2.0, "bins": {"0": 1.0, "1": 1.0}})]
    assert merge_metrics(parts) == {"loss": 1.75, "bins": {"0": 3.0, "1": 1.0}}


def test_a_declared_rule_is_followed_whatever_the_weights():
    parts = [(0, {"total": 3, "worst": 3, "least": 3, "loss": 3}), (9, {"total": 4, "worst": 4, "least": 4})]
    assert merge_metrics(parts, RULES) == {"total": 7, "worst": 4, "least": 3}


@pytest.mark.parametrize(("one", "other"), [(LARGEST, LARGEST), (LARGEST, -LARGEST)])
def test_a_metric_that_two_nodes_make_infinite_is_left_out_and_the_others_are_not(one, other):
    parts = [(4, {"loss": one, "bins": {"0": LARGEST}, "good": 1.0})]
    parts += [(4, {"loss": other, "bins": {"0": LARGEST}})]
    assert merge_metrics(parts) == {"good": 1.0}


@given(numbers, st.lists(st.integers(1, 2**40), min_size=1, max_size=5))
def test_what_all_nodes_agree_on_is_told_exactly(value, weights):
    agreed = merge_metrics([(weight, {"learning_rate": value}) for weight in weights])
    assert agreed in ({"learning_rate": value}, {})  # left out if its sum is infinite


@given(parts)
def test_whatever_finite_numbers_are_reported_what_they_become_is_finite(parts):
    merged = merge_metrics(parts, RULES)
    numbers = [bins.values() if isinstance(bins, dict) else [bins] for bins in merged.values()]
    assert all(math.isfinite(number) for each in numbers for number in each)


@given(parts.flatmap(lambda parts: st.tuples(st.just(parts), st.permutations(parts))))
def test_the_order_of_the_parts_leaves_no_trace(drawn):
    parts, permuted = drawn
    assert merge_metrics(parts, RULES) == merge_metrics(permuted, RULES)


whole = st.integers(-(2**20), 2**20)
whole_parts = st.lists(
    st.tuples(st.integers(1, 2**20), st.fixed_dictionaries(dict.fromkeys([*RULES, "loss"], whole))),
    min_size=1,
    max_size=5,
)


@given(whole_parts, whole_parts)
def test_parts_merged_in_two_steps_are_those_merged_in_one(left, right):
    halves = [(sum(weight for weight, _ in half), merge_metrics(half, RULES)) for half in (left, right)]
    at_once, in_steps = merge_metrics([*left, *right], RULES), merge_metrics(halves, RULES)
    assert in_steps == pytest.approx(at_once, rel=1e-12, abs=1e-9)
    assert {name: in_steps[name] for name in RULES} == {name: at_once[name] for name in RULES}


def test_a_rule_that_goes_without_saying_is_not_declared():
    assert checked_rules({"loss": "mean", "correct": "sum"}) == {"correct": "sum"}


@pytest.mark.parametrize(
    ("rules", "reason"),
    [
        ({"f1": "median"}, "merge of 'f1' is 'median', allowed are mean, sum, max, min"),
        ({"": "sum"}, "metric name ''"),
        (["correct"], "expected a rule for each name"),
        ({str(number): "sum" for number in range(MAX_METRICS + 1)}, "has 257 rules, limit is 256"),
    ],
)
def test_rules_that_cannot_be_are_refused(rules, reason):
    with pytest.raises(TaskError, match=reason):
        checked_rules(rules)
