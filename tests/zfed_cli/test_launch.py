from __future__ import annotations

import os
import shlex
import shutil
import stat
import subprocess
import time
from pathlib import Path

import pytest

from zfed_cli import tmux
from zfed_cli.main import main

FILE = """
[run]
bind = "tcp://127.0.0.1:9000"

[[node]]
kind = "worker"
name = "alice"
labels = "0-3"
set = {root = "my data"}

[[node]]
kind = "evaluator"
name = "eve"
"""

needs_tmux = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")


@pytest.fixture(autouse=True)
def own_temporary_folder(tmp_path, monkeypatch):
    """Keys of runs that a test does not complete are left there."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "zfed.toml"
    path.write_text(FILE)
    return str(path)


@pytest.fixture
def own_tmux(tmp_path, monkeypatch):
    """A tmux server of this test's own."""
    monkeypatch.setenv("TMUX_TMPDIR", str(tmp_path))
    monkeypatch.delenv("TMUX", raising=False)
    yield
    subprocess.run(["tmux", "kill-server"], capture_output=True)


def test_print_shows_commands_that_a_shell_takes(capsys, file):
    assert main(["launch", file, "--print"]) == 0
    commands = [shlex.split(line) for line in capsys.readouterr().out.splitlines()]
    address = ["--connect", "tcp://127.0.0.1:9000"]
    assert commands == [
        ["zfed", "coordinator", "--config", file],
        ["zfed", "worker", "--name", "alice", *address, "--labels", "0-3", "--set", "root=my data"],
        ["zfed", "evaluator", "--name", "eve", *address],
    ]


def test_without_tmux_the_message_says_what_to_do(capsys, file, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert main(["launch", file]) == 2
    assert "tmux is not installed" in capsys.readouterr().err


@pytest.mark.parametrize(("run", "name"), [("", "zfed"), ("v1.2:a b", "zfed-v1-2-a-b")])
def test_a_session_name_is_one_word_for_tmux(run, name):
    assert tmux.session_name(run) == name


@needs_tmux
def test_a_session_has_one_titled_pane_for_each_command_that_stays_when_it_ends(own_tmux):
    panes = [tmux.Pane(f"node {number}", f"echo hello {number}") for number in range(5)]
    tmux.open_session("test", panes)
    for _ in range(100):
        listed = subprocess.run(
            ["tmux", "list-panes", "-t", "=test:", "-F", "#{pane_title} #{pane_dead}"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        if listed.count("1\n") == 5:
            break
        time.sleep(0.05)
    assert listed.splitlines() == [f"{pane.title} 1" for pane in panes]


@needs_tmux
def test_a_session_that_is_there_is_left_alone(own_tmux, capsys, file):
    tmux.open_session("mine", [tmux.Pane("a", "sleep 60")])
    assert main(["launch", file, "--session", "mine"]) == 2
    assert 'there is a tmux session "mine" already' in capsys.readouterr().err


def opened(monkeypatch, file):
    """The panes that launch would open."""
    panes = []
    monkeypatch.setattr(tmux, "open_session", lambda session, these: panes.extend(these))
    assert main(["launch", file]) == 0
    return [shlex.split(pane.command) for pane in panes]


def value_of(flag, words):
    return words[words.index(flag) + 1]


def test_launched_nodes_have_keys_that_are_gone_when_the_run_is_completed(file, monkeypatch):
    coordinator, alice, eve = opened(monkeypatch, file)
    keys = Path(value_of("--keys", coordinator))
    assert coordinator[-4:] == ["&&", "rm", "-r", str(keys)]
    assert stat.S_IMODE(keys.stat().st_mode) == 0o700
    public = (keys / "coordinator.pub").read_text().strip()
    for node in (alice, eve):
        assert value_of("--keys", node) == str(keys)
        assert value_of("--coordinator-key", node) == public


@pytest.mark.parametrize("setting", ["insecure = true", 'keys = "/etc/zfed"'])
def test_a_file_that_decides_about_keys_is_followed(file, monkeypatch, setting):
    Path(file).write_text(FILE.replace("[run]", f"[run]\n{setting}"))
    coordinator, alice, _ = opened(monkeypatch, file)
    assert coordinator[-2:] == ["--config", file]
    assert "--keys" not in alice
    assert ("--insecure" in alice) == setting.startswith("insecure")


def test_where_no_session_can_be_opened_no_keys_are_left(file, monkeypatch, tmp_path):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    before = sorted(tmp_path.iterdir())
    assert main(["launch", file]) == 2
    assert sorted(tmp_path.iterdir()) == before


@needs_tmux
def test_away_from_a_terminal_launch_says_how_to_attach(own_tmux, capsys, file, monkeypatch):
    monkeypatch.setattr(os, "getcwd", os.getcwd)
    assert main(["launch", file, "--session", "quiet"]) == 0
    assert capsys.readouterr().out == "tmux attach -t quiet\n"
