from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zfed.errors import UsageError
from zfed.identity.utc import LAST, parse_utc, utc_text


@given(st.integers(0, LAST))
def test_every_time_is_read_back_as_it_was(seconds):
    assert parse_utc(utc_text(seconds)) == seconds


@given(st.text(max_size=30) | st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z"))
def test_any_text_is_a_time_or_refused(text):
    with suppress(UsageError):
        assert utc_text(parse_utc(text)) == text


@pytest.mark.parametrize("text", ["2026-12-01", "2026-02-30T00:00:00Z", "1969-12-31T23:59:59Z", "soon"])
def test_what_is_no_time_is_told_what_one_looks_like(text):
    with pytest.raises(UsageError, match="2026-12-01T00:00:00Z"):
        parse_utc(text)
