from __future__ import annotations

import time

import pytest

from zfed.chronicle.times import moment, shown


@pytest.fixture
def two_hours_east(monkeypatch):
    monkeypatch.setenv("TZ", "UTC-2")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize("at", ["2025-01-02T03:04:05Z", "2025-01-02T03:04:05+00:00", "2025-01-02T03:04:05"])
def test_a_time_of_a_journal_is_shown_on_the_local_clock(two_hours_east, at):
    assert shown(moment(at)) == "2025-01-02 05:04:05"


def test_what_is_no_time_is_shown_as_nothing():
    assert shown(moment("yesterday")) == shown(moment("")) == ""
