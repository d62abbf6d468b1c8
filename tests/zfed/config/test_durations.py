import pytest

from zfed.config.durations import parse_duration
from zfed.errors import UsageError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0s", 0), ("90s", 90), ("15m", 900), ("2h", 7200), ("7d", 604_800), (" 1w ", 604_800)],
)
def test_a_span_is_a_number_and_a_unit(text, seconds):
    assert parse_duration(text, "overlap") == seconds


@pytest.mark.parametrize("text", ["", "7", "d", "-7d", "1.5h", "10000d", "7 d", "\u0667d"])
def test_what_is_no_span_is_refused_by_what_it_was_for(text):
    with pytest.raises(UsageError, match=r"^--overlap is '.*', expected .* as 7d"):
        parse_duration(text, "--overlap")
