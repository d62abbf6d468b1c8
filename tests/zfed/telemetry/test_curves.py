from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

import pytest

from zfed.facts import Fact
from zfed.telemetry import draw_curves, metrics_record
from zfed.telemetry.curves import read_panels

from .conftest import committed, evaluated, surveyed


def written(path: Path, facts: list[Fact]) -> Path:
    records = [record for fact in facts if (record := metrics_record(fact))]
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def test_curves_of_a_run_become_a_png(tmp_path: Path, run_facts: list[Fact]) -> None:
    metrics = written(tmp_path / "metrics.jsonl", run_facts)
    assert draw_curves(metrics, tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["curves.png", "metrics.jsonl"]


def test_names_that_mean_something_to_matplotlib_are_drawn_as_they_are(tmp_path: Path) -> None:
    metrics = written(tmp_path / "metrics.jsonl", [committed(1, {"$x_": 0.5, "_y": 0.25, r"\frac{": 1.0})])
    assert draw_curves(metrics, tmp_path / "curves.png")


def test_a_crowd_of_workers_is_drawn(tmp_path: Path) -> None:
    losses = {f"w{number}": 0.1 + number for number in range(50)}
    metrics = written(tmp_path / "metrics.jsonl", [committed(1, losses), committed(2, losses)])
    assert draw_curves(metrics, tmp_path / "curves.png")


def test_the_later_record_of_a_key_counts_and_a_torn_line_does_not(tmp_path: Path) -> None:
    metrics = written(
        tmp_path / "metrics.jsonl",
        [
            evaluated(2, "federated", 9000, 0.5),
            evaluated(1, "federated", 100, 5.0),
            evaluated(1, "federated", 8000, 0.9),
        ],
    )
    with metrics.open("a") as log:
        log.write('{"event":"evaluated","round":3')
    accuracy, loss = read_panels(metrics)
    assert accuracy.curves == {"federated": [(1, pytest.approx(80.0)), (2, pytest.approx(90.0))]}
    assert loss.curves == {"federated": [(1, 0.9), (2, 0.5)]}


@pytest.mark.parametrize("content", [None, "", "not json\n"])
def test_what_cannot_be_drawn_is_said_and_harms_nothing(
    content: str | None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    metrics = tmp_path / "metrics.jsonl"
    if content is not None:
        metrics.write_text(content)
    with caplog.at_level(logging.WARNING):
        assert not draw_curves(metrics, tmp_path / "curves.png")
    assert caplog.records[0].message.startswith("no curves drawn: ")
    assert not (tmp_path / "curves.png").exists()


def test_without_matplotlib_the_log_says_how_to_get_it(
    tmp_path: Path,
    run_facts: list[Fact],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    metrics = written(tmp_path / "metrics.jsonl", run_facts)
    for name in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with caplog.at_level(logging.WARNING):
        assert not draw_curves(metrics, tmp_path / "curves.png")
    assert "zfed[plot]" in caplog.text


def test_a_round_whose_workers_numbers_were_lost_leaves_a_gap(tmp_path: Path) -> None:
    metrics = written(
        tmp_path / "metrics.jsonl", [committed(1, {"alice": 0.5}), committed(3, {"alice": 0.3})]
    )
    with metrics.open("a") as log:
        log.write('{"event":"round","round":2,"seconds":1.0}\n')
    [train] = read_panels(metrics)
    assert train.curves == {"alice": [(1, 0.5), (3, 0.3)]}


def test_what_workers_found_is_drawn_as_their_median_between_the_worst_and_the_best(tmp_path: Path) -> None:
    metrics = written(
        tmp_path / "metrics.jsonl", [surveyed(1), surveyed(2), evaluated(1, "federated", 1, 2.0)]
    )
    accuracy, loss = read_panels(metrics)
    assert accuracy.title == "Accuracy on the test data"
    assert accuracy.curves["workers"] == [(1, 87.5), (2, 87.5)]
    assert accuracy.spread == [(1, 75.0, 100.0), (2, 75.0, 100.0)]
    assert loss.spread == [(1, 0.75, 0.25), (2, 0.75, 0.25)]
    assert draw_curves(metrics, tmp_path / "curves.png")


@pytest.mark.parametrize(("validation", "whose"), [(True, "validation"), (False, "held-out")])
def test_the_title_says_whose_data_it_is(validation: bool, whose: str, tmp_path: Path) -> None:
    metrics = written(tmp_path / "metrics.jsonl", [surveyed(1, validation=validation)])
    assert [panel.title for panel in read_panels(metrics)] == [
        f"Accuracy on the {whose} data",
        f"Loss on the {whose} data",
    ]
