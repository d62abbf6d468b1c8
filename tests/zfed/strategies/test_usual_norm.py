from statistics import median_low

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zfed.strategies import NO_NORM_LIMIT, UsualNorm, median_norm
from zfed.strategies.usual_norm import REMEMBERED_VERSIONS, VERSIONS_NEEDED

NORMS = st.lists(st.floats(1e-6, 1e6), max_size=3 * REMEMBERED_VERSIONS)


def test_without_a_setting_only_infinity_is_too_long():
    assert UsualNorm([1.0] * 10).limit(0.0, 0.0) == NO_NORM_LIMIT


def test_an_absolute_limit_holds_from_the_first_round_on():
    assert UsualNorm().limit(5.0, 0.0) == 5.0


@pytest.mark.parametrize("versions", range(VERSIONS_NEEDED))
def test_what_is_usual_limits_nothing_before_enough_versions_have_shown_it(versions):
    assert UsualNorm([1.0] * versions).limit(0.0, 3.0) == NO_NORM_LIMIT


@given(NORMS, st.floats(0.5, 100.0))
def test_the_limit_is_a_multiple_of_the_median_of_the_last_versions(norms, ratio):
    limit = UsualNorm(norms).limit(0.0, ratio)
    if len(norms) >= VERSIONS_NEEDED:
        assert limit == ratio * median_low(norms[-REMEMBERED_VERSIONS:])
    else:
        assert limit == NO_NORM_LIMIT


@given(NORMS)
def test_what_was_journaled_gives_the_same_limit_as_what_was_added(norms):
    added = UsualNorm()
    for norm in norms:
        added.add(norm)
    assert added.limit(7.0, 2.0) == UsualNorm(norms).limit(7.0, 2.0)


def test_the_smaller_of_both_limits_holds():
    usual = UsualNorm([2.0, 2.0, 2.0])
    assert usual.limit(100.0, 3.0) == 6.0
    assert usual.limit(4.0, 3.0) == 4.0


def test_versions_in_which_nothing_moved_say_nothing():
    assert UsualNorm([0.0, 2.0, 2.0, 0.0, 2.0]).limit(0.0, 3.0) == 6.0
    assert UsualNorm([0.0] * 5).limit(0.0, 3.0) == NO_NORM_LIMIT


@given(st.lists(st.floats(0, 1e6), min_size=1), st.randoms())
def test_a_versions_median_does_not_depend_on_who_came_first(norms, random):
    assert median_norm(random.sample(norms, len(norms))) == median_norm(norms)


def test_one_long_update_of_two_does_not_move_the_median():
    assert median_norm([1.0, 1e30]) == 1.0
