from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zfed.errors import ConfigError
from zfed.nodes.hours import Hours

MONDAY = datetime(2026, 11, 23)
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def at(day, time):
    hours, minutes = map(int, time.split(":"))
    return MONDAY + timedelta(days=DAYS.index(day), hours=hours, minutes=minutes)


@pytest.mark.parametrize(
    ("text", "day", "time", "available"),
    [
        ("", "mon", "03:00", True),
        ("9:00-17:00", "sun", "09:00", True),
        ("9:00-17:00", "sun", "17:00", False),
        ("22:00-06:00", "wed", "23:59", True),
        ("22:00-06:00", "wed", "05:59", True),
        ("22:00-06:00", "wed", "12:00", False),
        ("18:00-24:00", "wed", "23:59", True),
        ("sat-sun", "sat", "00:00", True),
        ("sat-sun", "mon", "00:00", False),
        ("FRI", "fri", "12:00", True),
        ("fri-mon", "sun", "12:00", True),
        ("fri-mon", "tue", "12:00", False),
        ("fri 22:00-06:00", "sat", "05:00", True),
        ("fri 22:00-06:00", "fri", "05:00", False),
        ("sun 22:00-06:00", "mon", "05:00", True),
        ("mon-fri 18:00-24:00, sat-sun", "sat", "12:00", True),
        ("mon-fri 18:00-24:00, sat-sun", "mon", "12:00", False),
    ],
)
def test_a_node_is_available_in_its_hours(text, day, time, available):
    assert (Hours.parse(text).closed(at(day, time)) == "") is available


@given(
    begin=st.integers(0, 24 * 60 - 1),
    length=st.integers(1, 24 * 60 - 1),
    day=st.sampled_from(DAYS),
    minute=st.integers(0, 7 * 24 * 60 - 1),
)
def test_hours_of_a_day_last_as_long_as_they_say_across_midnight_too(begin, length, day, minute):
    end = (begin + length) % (24 * 60)
    window = f"{day} {begin // 60:02}:{begin % 60:02}-{end // 60:02}:{end % 60:02}"
    since = (minute - DAYS.index(day) * 24 * 60 - begin) % (7 * 24 * 60)
    closed = Hours.parse(window).closed(MONDAY + timedelta(minutes=minute))
    assert (not closed) is (since < length)


def test_the_reason_names_the_hours():
    assert Hours.parse("22:00-6:00 ,sat").closed(at("mon", "12:00")) == "it is available 22:00-6:00, sat"


@pytest.mark.parametrize(
    "text", ["always", "25:00-26:00", "10:60-11:00", "10:00", "10:00-10:00", "24:00-06:00", "mo", "sat sun"]
)
def test_what_are_no_hours_is_refused_with_examples(text):
    with pytest.raises(ConfigError, match=r"^--available .*as 22:00-06:00"):
        Hours.parse(text)
