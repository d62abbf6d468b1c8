from __future__ import annotations

import json

import pytest

from tests.zfed.chronicle.journals import write_run
from zfed.chronicle import overview
from zfed.chronicle.listing import TITLES, cells, record


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('"accuracy":0.98765,"loss":0.1', "accuracy 98.77 % (round 2)"),
        ('"loss":0.125', "loss 0.1250 (round 2)"),
        ('"total":3', ""),
    ],
)
def test_a_models_quality_is_its_accuracy_or_else_its_loss(tmp_path, line, words):
    path = write_run(tmp_path / "a")
    (path / "metrics.jsonl").write_text(f'{{"event":"evaluated","round":2,"subject":"federated",{line}}}\n')
    assert cells(overview(path))[4] == words


def test_cells_stand_under_their_titles(tmp_path):
    row = dict(zip(TITLES, cells(overview(write_run(tmp_path / "a"))), strict=True))
    assert (row["run"], row["state"], row["rounds"], row["version"]) == ("a", "interrupted", "1/3", "1")
    (tmp_path / "a" / "run.toml").unlink()
    assert cells(overview(tmp_path / "a"))[2] == "1/?"


def test_a_program_is_told_the_same_as_json(tmp_path):
    path = write_run(tmp_path / "a")
    told = json.loads(json.dumps(record(overview(path))))
    assert told["directory"] == str(path)
    assert (told["rounds_done"], told["rounds"], told["version"], told["evaluated"]) == (1, 3, 1, None)
    assert told["last_written"].endswith("+00:00")
