from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zfed.config.sizes import UNITS, parse_size
from zfed.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("200MB", 200_000_000),
        ("0.1 mb", 100_000),
        ("2.3MB", 2_300_000),
        ("64 KiB", 65_536),
        ("1.5GiB", 1_610_612_736),
        ("17", 17),
        (".5kb", 500),
        ("1.9B", 1),
    ],
)
def test_a_size_is_read_as_people_write_it(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "MB", "-1MB", "1e6", "3 bananas", "1 2", "nan", "."])
def test_what_is_no_size_is_refused_and_the_units_are_named(text):
    with pytest.raises(ConfigError, match=r"MB, GB"):
        parse_size(text)


@given(st.integers(0, 2**63), st.sampled_from(sorted(UNITS)))
def test_whole_numbers_of_any_unit_are_exact(number, unit):
    assert parse_size(f"{number}{unit}") == number * UNITS[unit]
