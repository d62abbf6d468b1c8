import itertools
import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zfed.errors import UsageError
from zfed.simulation.profiles import PROFILES, Device, draw_absences, draw_fleet


@given(st.sampled_from(sorted(PROFILES)), st.integers(1, 50), st.integers(0, 2**32))
def test_a_fleet_is_drawn_from_its_seed_alone(profile, count, seed):
    fleet = draw_fleet(profile, count, seed)
    assert fleet == draw_fleet(profile, count, seed)
    assert len(fleet) == count
    assert all(min(each.example_s, each.up, each.down) > 0 for each in fleet)


def test_uniform_devices_are_all_alike():
    assert set(draw_fleet("uniform", 20, 1)) == {Device()}


def test_one_slow_has_one_that_is_ten_times_slower():
    first, *others = draw_fleet("one-slow", 10, 3)
    assert first.example_s == pytest.approx(10 * others[0].example_s)
    assert len(set(others)) == 1


@pytest.mark.parametrize("profile", ["slow-tail", "phones"])
def test_the_slowest_of_a_hundred_takes_some_ten_times_the_median(profile):
    ratios = []
    for seed in range(50):
        times = [device.example_s for device in draw_fleet(profile, 100, seed)]
        ratios.append(max(times) / statistics.median(times))
    assert 9 < statistics.median(ratios) < 15


def test_phones_are_away_a_quarter_of_the_time():
    [phone] = draw_fleet("phones", 1, 0)
    absences = draw_absences(phone, random.Random(0), 1e6)
    away = sum(to - since for since, to in absences)
    assert 0.24 < away / 1e6 < 0.26
    assert sorted(absences) == absences
    assert all(this[1] <= following[0] for this, following in itertools.pairwise(absences))


def test_who_is_always_in_reach_is_never_away():
    assert draw_absences(Device(), random.Random(0), 1e9) == []


def test_an_unknown_profile_is_refused_with_the_nearest():
    with pytest.raises(UsageError, match='unknown profile "slowtail"; did you mean "slow-tail"'):
        draw_fleet("slowtail", 3, 0)
