from __future__ import annotations

import math

import pytest

from zfed.config.limits import ANY, AT_LEAST_ONE, MOMENTUM, POSITIVE, Interval


@pytest.mark.parametrize("interval", [ANY, POSITIVE, AT_LEAST_ONE, MOMENTUM])
@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_no_interval_holds_what_is_not_finite(interval, number):
    assert number not in interval


def test_an_open_bound_is_not_allowed_itself():
    assert 0 not in POSITIVE
    assert 5e-324 in POSITIVE
    assert 0 in MOMENTUM
    assert 1 not in MOMENTUM


def test_an_interval_says_itself_in_words():
    assert str(MOMENTUM) == "at least 0 and less than 1"
    assert str(POSITIVE) == "more than 0"
    assert str(Interval(high=5)) == "at most 5"
    assert str(ANY) == ""
