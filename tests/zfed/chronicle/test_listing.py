from __future__ import annotations

import json

import pytest

from tests.zfed.chronicle.journals import write_run
from zfed.chronicle import overview
from zfed.chronicle.listing import columns, record


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
    assert columns([overview(path)]).get("federated model", [""]) == [words]


def test_a_column_in_which_nothing_would_stand_is_left_out(tmp_path):
    whole, unknown, damaged = (write_run(tmp_path / name) for name in ("a", "b", "c"))
    (unknown / "run.toml").unlink()
    (damaged / "journal.jsonl").write_bytes(b"?\n")
    table = columns([overview(whole), overview(unknown)])
    assert {title: table[title] for title in ("run", "state", "rounds", "version")} == {
        "run": ["a", "b"],
        "state": ["interrupted", "interrupted"],
        "rounds": ["1/3", "1/?"],
        "version": ["1", "1"],
    }
    assert "note" not in table
    table = columns([overview(whole), overview(damaged)])
    assert (table["version"], table["note"]) == (["1", ""], ["", "a line of its journal is damaged"])


def test_a_program_is_told_the_same_as_json(tmp_path):
    path = write_run(tmp_path / "a")
    told = json.loads(json.dumps(record(overview(path))))
    assert told["directory"] == str(path)
    assert (told["rounds_done"], told["rounds"], told["version"], told["evaluated"]) == (1, 3, 1, None)
    assert told["last_written"].endswith("+00:00")


def test_of_a_run_that_workers_evaluated_it_is_said_whose_word_it_is(tmp_path):
    path = write_run(tmp_path / "a")
    (path / "metrics.jsonl").write_text(
        '{"event":"evaluated","round":2,"subject":"workers","accuracy":0.5}\n'
    )
    assert columns([overview(path)])["federated model"] == ["accuracy 50.00 % (round 2, by the workers)"]
