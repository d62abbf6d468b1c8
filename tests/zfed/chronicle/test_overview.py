from __future__ import annotations

import os

import pytest

from tests.zfed.chronicle.journals import RUN, write_run
from zfed.checkpoint import Journal, RunDirectory
from zfed.chronicle import is_run, list_runs, overview
from zfed.errors import UsageError

START = {"event": "started", "incarnation": 2, "version": 1}


def ended(status, reason=""):
    return {"event": "ended", "status": status, "reason": reason, "version": 1}


@pytest.mark.parametrize(
    ("more", "state"),
    [
        ([], "interrupted"),
        ([ended("completed")], "completed"),
        ([ended("stopped", "asked to")], "stopped"),
        ([ended("failed", "too few")], "failed"),
        ([ended("completed"), START], "interrupted"),
        ([START, ended("completed")], "completed"),
    ],
)
def test_the_last_start_or_end_says_how_a_run_stands(tmp_path, more, state):
    run = overview(write_run(tmp_path / "a", [*RUN, *more]))
    assert (run.run_id, run.state, run.rounds_done, run.rounds, run.version) == ("a", state, 1, 3, 1)


def test_why_a_run_stopped_or_failed_is_noted(tmp_path):
    assert overview(write_run(tmp_path / "a", [*RUN, ended("failed", "too few")])).note == "too few"
    assert overview(write_run(tmp_path / "b", [*RUN, ended("completed")])).note == ""


def test_a_run_whose_process_lives_is_running_whatever_it_wrote_last(tmp_path):
    with RunDirectory.create(tmp_path, "a", "") as run:
        run.journal.append(ended("completed"), sync=False)
        assert overview(run.path).state == "running"
    assert overview(run.path).state == "completed"


def test_versions_that_a_later_start_found_damaged_do_not_count(tmp_path):
    path = write_run(tmp_path / "a", [*RUN, {"event": "started", "incarnation": 2, "version": 0}])
    assert overview(path).version == 0
    path = write_run(tmp_path / "b", [*RUN, {"event": "started", "incarnation": 2, "version": -1}])
    assert (overview(path).version, overview(path).rounds_done) == (None, 0)


def test_the_newest_evaluation_is_that_of_the_federated_model(tmp_path):
    path = write_run(tmp_path / "a")
    (path / "metrics.jsonl").write_text(
        '{"event":"evaluated","round":1,"subject":"federated","accuracy":0.5}\n'
        '{"event":"evaluated","round":2,"subject":"federated","accuracy":0.75}\n'
        '{"event":"evaluated","round":2,"subject":"alice","accuracy":0.1}\n'
        '{"event":"evaluated","round":3,"subject":"federated","acc'
    )
    assert overview(path).evaluated["accuracy"] == 0.75
    (path / "metrics.jsonl").write_text('"event":"evaluated"\n')
    assert overview(path).evaluated == {}


def test_a_damaged_last_line_makes_the_run_a_damaged_one(tmp_path):
    path = write_run(tmp_path / "a")
    journal = path / "journal.jsonl"
    journal.write_bytes(journal.read_bytes().replace(b'"round":2,"node":"bob"', b'"round":3,"node":"bob"'))
    assert overview(path).state == "damaged"
    assert overview(path).rounds == 3


def test_a_torn_last_line_damages_nothing(tmp_path):
    path = write_run(tmp_path / "a")
    journal = path / "journal.jsonl"
    journal.write_bytes(journal.read_bytes() + b'{"crc":"00')
    assert overview(path).state == "interrupted"


def test_a_journal_that_cannot_be_read_is_damage_with_its_reason(tmp_path):
    path = write_run(tmp_path / "a")
    (path / "journal.jsonl").unlink()
    (path / "journal.jsonl").mkdir()
    run = overview(path)
    assert (run.state, run.note) == ("damaged", f"{path / 'journal.jsonl'}: Is a directory")


@pytest.mark.parametrize("content", ["[run", "[run]\nrounds = 'x'\n", "run = 3\n", None])
def test_a_run_toml_that_tells_no_rounds_leaves_them_open(tmp_path, content):
    path = write_run(tmp_path / "a")
    if content is None:
        (path / "run.toml").unlink()
    else:
        (path / "run.toml").write_text(content)
    assert overview(path).rounds is None


def test_the_rounds_of_the_last_start_count(tmp_path):
    path = write_run(tmp_path / "a", [*RUN, {**START, "rounds": 8}])
    assert overview(path).rounds == 8


def test_rounds_that_run_toml_does_not_name_are_the_default(tmp_path):
    path = write_run(tmp_path / "a")
    (path / "run.toml").write_text("")
    assert overview(path).rounds == 10


def test_a_run_that_was_only_laid_out_is_empty(tmp_path):
    path = tmp_path / "a"
    path.mkdir()
    (path / "run.toml").write_text("")
    assert overview(path).state == "empty"
    Journal(path / "journal.jsonl").close()
    assert overview(path).state == "empty"


def test_runs_are_listed_by_the_time_of_their_last_line_and_other_folders_are_not(tmp_path):
    for age, name in enumerate(("new", "middle", "old")):
        path = write_run(tmp_path / name)
        os.utime(path / "journal.jsonl", (1e9 - age, 1e9 - age))
    (tmp_path / "data").mkdir()
    (tmp_path / "notes.txt").write_text("")
    assert [run.run_id for run in list_runs(tmp_path)] == ["old", "middle", "new"]
    assert not is_run(tmp_path / "data")


def test_a_missing_folder_of_runs_says_how_runs_are_begun(tmp_path):
    with pytest.raises(UsageError, match=r"there is no folder .*none: .*--root.*`zfed demo` or `zfed coord"):
        list_runs(tmp_path / "none")
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"cannot look into .*file: Not a directory"):
        list_runs(tmp_path / "file")
