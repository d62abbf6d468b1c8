from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from zfed.telemetry.label_table import TABLE_WIDTH, label_table, label_words

ALICE = {"3": 6131, "0": 5923, "1": 6742, "2": 5958}


def test_counts_stand_below_their_labels_and_end_with_the_total() -> None:
    assert label_table(ALICE) == [
        "  label          0       1       2       3   total",
        "  examples   5,923   6,742   5,958   6,131  24,754",
    ]


@given(st.dictionaries(st.integers(0, 99).map(str), st.integers(0, 10**6), min_size=1, max_size=32))
def test_no_table_is_wider_than_a_narrow_terminal(label_counts: dict[str, int]) -> None:
    lines = label_table(label_counts)
    assert max(map(len, lines)) <= TABLE_WIDTH
    assert lines[-1].endswith(f"{sum(label_counts.values()):,}")


def test_numeric_labels_are_sorted_by_value_and_others_kept() -> None:
    assert label_words({"10": 1, "9": 2}) == "9: 2, 10: 1"
    assert label_words({"dog": 1, "cat": 2}) == "dog: 1, cat: 2"


def test_hundreds_of_labels_are_summed_up() -> None:
    counts = {str(label): 100 + label for label in range(1000)}
    assert label_table(counts) == ["  1,000 labels with 100 to 1,099 examples each"]
