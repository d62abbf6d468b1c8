from __future__ import annotations

import pytest

from zfed.checkpoint import RunDirectory
from zfed.config import CoordinatorConfig, RunConfig, coordinator_toml
from zfed_cli.main import main

NODES = '[[node]]\nkind = "worker"\nname = "alice"\n'


@pytest.fixture(autouse=True)
def no_variables(monkeypatch):
    for name in ("ZFED_RUN", "ZFED_SEED", "ZFED_ROUNDS", "ZFED_BIND"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def run(tmp_path, monkeypatch) -> str:
    """A run directory of a run that was begun with a seed and an address of its own."""
    monkeypatch.chdir(tmp_path)
    begun = CoordinatorConfig(run=RunConfig(seed=7, bind="tcp://127.0.0.1:9123"), train={"batches": 5})
    RunDirectory.create(tmp_path / "runs", "a", coordinator_toml(begun)).close()
    return "runs/a"


def shown(capsys) -> dict[str, str]:
    """Assignment -> origin, as `--print-config` shows them."""
    lines = capsys.readouterr().out.splitlines()
    return {line.partition("  #")[0].strip(): line.partition("# ")[2] for line in lines}


def test_a_directory_that_holds_a_run_brings_that_runs_settings(run, capsys):
    assert main(["coordinator", "--run", run, "--rounds", "60", "--print-config"]) == 0
    values = shown(capsys)
    assert values["seed = 7"] == "run.toml"
    assert values["batches = 5"] == "run.toml"
    assert values["rounds = 60"] == "--rounds"
    assert values['run = "runs/a"'] == "--run"


def test_a_new_directory_brings_none(run, capsys):
    assert main(["coordinator", "--run", "runs/b", "--print-config"]) == 0
    assert shown(capsys)["seed = 0"] == "default"


@pytest.mark.parametrize("command", ["coordinator", "demo"])
def test_another_seed_is_bad_usage_and_named(run, capsys, command):
    assert main([command, "--run", run, "--seed", "8", "--print-config"]) == 2
    error = capsys.readouterr().err
    assert "zfed: --seed is 8, but the run was begun with 7 (runs/a/run.toml) and keeps that" in error


def test_a_directory_that_a_variable_names_is_resumed_as_well(run, capsys, monkeypatch):
    monkeypatch.setenv("ZFED_RUN", run)
    assert main(["coordinator", "--print-config"]) == 0
    assert shown(capsys)["seed = 7"] == "run.toml"


def test_a_run_toml_that_is_no_toml_is_an_error_and_no_traceback(run, capsys, tmp_path):
    (tmp_path / run / "run.toml").write_text("[run\n")
    assert main(["coordinator", "--run", run]) == 2
    error = capsys.readouterr().err
    assert error.startswith("zfed: runs/a/run.toml: not valid TOML")
    assert "this is the run's own file: put it back as it was" in error


def test_a_folder_whose_run_never_began_fixes_nothing(run, capsys, tmp_path):
    (tmp_path / run / "journal.jsonl").write_bytes(b'{"crc":"00')
    assert main(["coordinator", "--run", run, "--seed", "8", "--print-config"]) == 0
    assert shown(capsys)["seed = 8"] == "--seed"


def test_launch_sends_its_nodes_where_the_resumed_run_listens(run, capsys, tmp_path):
    (tmp_path / "zfed.toml").write_text(f'[run]\nrun = "{run}"\n{NODES}')
    assert main(["launch", "zfed.toml", "--print"]) == 0
    assert "--connect tcp://127.0.0.1:9123" in capsys.readouterr().out
