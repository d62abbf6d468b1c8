import pytest
from hypothesis import given
from hypothesis import strategies as st

from zfed.errors import ConfigError
from zfed.rounds.staleness import STEP, Staleness


@given(st.floats(0, 100), st.integers(0, 10_000))
def test_a_factor_is_a_multiple_of_the_step_from_that_to_1_and_grows_less_with_staleness(exponent, staleness):
    rule = Staleness(exponent)
    factor = rule.factor(staleness)
    assert (factor / STEP).is_integer()
    assert STEP <= factor <= 1
    assert rule.factor(staleness + 1) <= factor
    assert factor <= max((1 + staleness) ** -exponent, STEP)
    assert factor >= (1 + staleness) ** -exponent - STEP


def test_what_is_not_stale_counts_in_full():
    assert Staleness.parse("polynomial:0.5").factor(0) == 1
    assert Staleness.parse("polynomial:0.5").factor(3) == 0.5


def test_constant_is_one_whatever_the_staleness():
    assert [Staleness.parse("constant").factor(s) for s in (0, 1, 99)] == [1, 1, 1]


@pytest.mark.parametrize(
    "text", ["", "polynomial", "polynomial:", "polynomial:-1", "linear:2", "polynomial:nan"]
)
def test_any_other_rule_is_refused_with_those_there_are(text):
    with pytest.raises(ConfigError, match="expected constant, or polynomial:A with A from 0 to 100"):
        Staleness.parse(text)
