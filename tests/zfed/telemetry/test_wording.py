from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zfed.telemetry.wording import count, duration, megabytes, metric_words, names, number, percent, printable


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.04, "0.0 s"),
        (1.23, "1.2 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 00 s"),
        (200, "3 min 20 s"),
        (3599.7, "1 h 00 min"),
        (7500, "2 h 05 min"),
    ],
)
def test_a_time_is_told_in_its_natural_unit(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_numbers_are_written_as_people_write_them() -> None:
    assert count(24754) == "24,754"
    assert megabytes(1_724_320) == "1.7 MB"
    assert percent(0.9592, digits=2) == "95.92 %"
    assert [number(value) for value in (0, 12.0, 0.13012, 12.3456, 1234.5, 1e-5)] == [
        "0",
        "12",
        "0.1301",
        "12.35",
        "1,234",
        "1.00e-05",
    ]


def test_histograms_are_no_words_and_many_metrics_are_cut() -> None:
    assert metric_words({"loss": 0.5, "predicted": {"0": 3}}) == ["loss 0.5000"]
    assert len(metric_words({f"m{i}": 0.5 for i in range(50)})) == 6


def test_many_names_are_cut_and_counted() -> None:
    assert names([]) == "nobody"
    assert names(["alice", "bob"]) == "alice, bob"
    assert names([f"w{i}" for i in range(100)]).endswith("w7 and 92 more")


@given(st.text())
def test_no_text_from_elsewhere_can_steer_a_terminal(text: str) -> None:
    assert printable(text).isprintable()


def test_escape_sequences_stay_readable() -> None:
    assert printable("\x1b[2Jalice\n\u202e") == r"\x1b[2Jalice\n\u202e"
    assert printable("Zoë 東京") == "Zoë 東京"
