from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zfed.errors import ConfigError
from zfed.telemetry.groups import group_shares, parse_groups


def test_ranges_lists_and_words_are_groups() -> None:
    ranges, listed, words = parse_groups(["0-3", "5, 7-8", "cat,dog"])
    assert ranges.labels == {"0", "1", "2", "3"}
    assert listed.labels == {"5", "7", "8"}
    assert words.labels == {"cat", "dog"}
    assert listed.name == "5, 7-8"


@pytest.mark.parametrize("text", ["", "1,,2", "3-0", "0-999999999"])
def test_a_group_that_makes_no_sense_is_refused_by_name(text: str) -> None:
    with pytest.raises(ConfigError, match="group '"):
        parse_groups([text])


@given(st.dictionaries(st.integers(0, 9).map(str), st.integers(0, 1000)))
def test_shares_of_a_disjoint_cover_add_up_to_one(predicted: dict[str, float]) -> None:
    shares = group_shares(predicted, parse_groups(["0-3", "4-6", "7-9"]))
    assert sum(shares) == pytest.approx(1.0 if sum(predicted.values()) else 0.0)


def test_labels_outside_every_group_count_in_the_total() -> None:
    assert group_shares({"0": 3, "9": 1}, parse_groups(["0-3"])) == [0.75]
