from __future__ import annotations

import json
import os
import pty
import subprocess
import sys

import numpy as np
import pytest

from tests.zfed.chronicle.journals import RUN, write_run
from zfed.checkpoint import RunDirectory
from zfed.params import ParameterBuffer
from zfed_cli.main import main

MODEL = ParameterBuffer.from_arrays({"w": np.arange(6, dtype=np.float32)})

END = {"event": "ended", "status": "completed", "reason": "", "version": 1}


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """Two runs in ./runs, and a folder that is none."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    write_run(tmp_path / "runs" / "monday", [*RUN, END])
    write_run(tmp_path / "runs" / "tuesday")
    os.utime(tmp_path / "runs" / "monday" / "journal.jsonl", (1e9, 1e9))
    (tmp_path / "runs" / "notes").mkdir()
    return tmp_path / "runs"


def test_the_list_in_a_pipe_is_aligned_lines(runs, capsys):
    assert main(["runs"]) == 0
    titles, monday, tuesday = capsys.readouterr().out.splitlines()
    assert titles.split()[:4] == ["run", "state", "rounds", "version"]
    assert monday.split()[:4] == ["monday", "completed", "1/3", "1"]
    assert tuesday.split()[:4] == ["tuesday", "interrupted", "1/3", "1"]
    assert titles.index("state") == monday.index("completed") == tuesday.index("interrupted")


def test_the_list_for_programs_is_one_json_object_a_line(runs, capsys):
    assert main(["runs", "--format", "json", "--root", str(runs)]) == 0
    listed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(run["run"], run["state"]) for run in listed] == [
        ("monday", "completed"),
        ("tuesday", "interrupted"),
    ]


def test_the_list_on_a_terminal_is_a_table(runs):
    main_end, child_end = pty.openpty()
    command = [sys.executable, "-m", "zfed_cli.main", "runs"]
    child = subprocess.Popen(command, stdout=child_end, env={**os.environ, "TERM": "xterm", "COLUMNS": "100"})
    os.close(child_end)
    shown = b""
    try:
        while piece := os.read(main_end, 65536):
            shown += piece
    except OSError:  # how a terminal says that its other side is gone
        pass
    os.close(main_end)
    assert child.wait() == 0
    assert b"\x1b[" in shown
    assert b"interrupted" in shown


def test_a_folder_without_runs_lists_none(tmp_path, capsys):
    assert main(["runs", "--root", str(tmp_path)]) == 0
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", f"no runs in {tmp_path}\n")
    assert main(["runs", "--root", str(tmp_path), "--format", "json"]) == 0
    assert capsys.readouterr().out == ""


def test_a_missing_folder_and_an_unknown_format_are_bad_usage(tmp_path, capsys):
    assert main(["runs", "--root", str(tmp_path / "none")]) == 2
    assert "begin a run with `zfed demo`" in capsys.readouterr().err
    assert main(["runs", "--format", "jsn"]) == 2
    assert 'did you mean "json"?' in capsys.readouterr().err


def test_a_story_has_a_heading_times_and_the_way_on(runs, capsys):
    assert main(["runs", "show", "tuesday"]) == 0
    heading, *story, advice = capsys.readouterr().out.splitlines()
    assert heading == "run tuesday: interrupted, 1 of 3 rounds done"
    assert story[0].startswith("2025-01-0")
    assert story[0].endswith("  the run was created")
    assert story[-1].endswith("round 2: asked alice, bob; answered: bob")
    assert advice == "to go on: zfed coordinator --run runs/tuesday"


def test_a_story_is_told_of_a_run_below_another_root(runs, capsys):
    for words in (
        ["runs", "show", "monday", "--root", str(runs)],
        ["runs", "--root", str(runs), "show", "monday"],
    ):
        assert main(words) == 0
        assert "run monday: completed" in capsys.readouterr().out


def test_an_unknown_run_is_bad_usage_and_names_the_nearest(runs, capsys):
    assert main(["runs", "show", "mondy"]) == 2
    assert 'no run "mondy" in runs; did you mean "monday"?' in capsys.readouterr().err


@pytest.fixture
def saved(tmp_path) -> RunDirectory:
    """A run of three versions, all kept."""
    with RunDirectory.create(tmp_path, "saved", "") as run:
        run.next_incarnation(-1)
        for version in range(3):
            model = run.save_model(version, MODEL)
            run.commit(version=version, model=model.content, state="", facts={"round": version})
    return run


def test_a_whole_run_verifies_file_by_file(saved, capsys, tmp_path):
    assert main(["runs", "verify", "saved", "--root", str(tmp_path)]) == 0
    *files, result = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in files] == [
        ["ok", f"{name}:"]
        for name in (
            "journal.jsonl",
            "run.toml",
            *(f"models/v0000{version}.safetensors" for version in range(3)),
        )
    ]
    assert result == f"{saved.path}: all as it was written"


def test_a_flipped_bit_is_found_named_and_has_a_way_on(saved, capsys):
    path = saved.model_path(2)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert main(["runs", "verify", str(saved.path)]) == 1
    *_, damaged, result, remedy = capsys.readouterr().out.splitlines()
    assert damaged.startswith("DAMAGED  models/v00002.safetensors: version 2: ")
    assert result == f"{saved.path}: 1 of 5 damaged"
    assert "goes on from version 1: zfed coordinator --run " in remedy


def test_a_damaged_journal_is_one_finding_with_the_command_that_mends_it(saved, capsys):
    saved.journal_path.write_bytes(saved.journal_path.read_bytes().replace(b'"round":1', b'"round":2'))
    assert main(["runs", "verify", str(saved.path)]) == 1
    damaged, _ = capsys.readouterr().out.splitlines()
    assert damaged.startswith("DAMAGED  journal.jsonl: line 4 of ")
    assert " && head -n 3 " in damaged


def test_what_holds_no_run_cannot_be_verified_and_says_so(tmp_path, capsys):
    path = write_run(tmp_path / "a", [])
    assert main(["runs", "verify", str(path)]) == 1
    assert capsys.readouterr().err.startswith(f"zfed: there is no run in {path}")
