from __future__ import annotations

import subprocess
import sys

import pytest

from zfed_cli.main import COMMANDS, main


@pytest.fixture(autouse=True)
def no_variables(monkeypatch):
    """A developer's own ZFED_* variables must not decide a test."""
    import os

    for name in list(os.environ):
        if name.startswith("ZFED_"):
            monkeypatch.delenv(name)


def outcome(capsys, *words: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of one command."""
    try:
        code = main(words)
    except SystemExit as ended:  # argparse's own way out
        code = int(ended.code or 0)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.mark.parametrize(
    "words", ["import zfed", "from zfed_cli.main import main\ntry: main(['--help'])\nexcept SystemExit: pass"]
)
def test_help_and_import_load_neither_numpy_nor_zmq(words):
    heavy = "{'numpy', 'zmq', 'numba', 'torch', 'rich', 'orjson', 'cryptography'}"
    script = f"{words}\nimport sys\nprint(sorted({heavy} & set(sys.modules)), file=sys.stderr)"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stderr.strip() == "[]"


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_commands_help_ends_with_an_example(capsys, command):
    code, out, _ = outcome(capsys, command, "--help")
    assert code == 0
    assert f"  zfed {command}" in out[out.index("example") :]


@pytest.mark.parametrize("command", ["coordinator", "worker", "evaluator"])
def test_no_command_and_an_unknown_one_are_bad_usage(capsys, command):
    assert outcome(capsys)[0] == 2
    assert outcome(capsys, command + "x")[0] == 2


def test_an_unknown_flag_names_the_nearest(capsys):
    code, _, err = outcome(capsys, "coordinator", "--ronds=3")
    assert code == 2
    assert 'unknown flag --ronds; did you mean "--rounds"?' in err


def test_a_stray_word_is_bad_usage(capsys):
    code, _, err = outcome(capsys, "coordinator", "now")
    assert code == 2
    assert '"now" is not expected here' in err


def test_an_abbreviated_flag_is_not_guessed(capsys):
    assert outcome(capsys, "coordinator", "--round", "3", "--print-config")[0] == 2


def test_print_config_shows_each_value_and_its_source(capsys, monkeypatch, tmp_path):
    file = tmp_path / "zfed.toml"
    file.write_text("[run]\nmin_workers = 2\n[train]\nbatches = 10\n")
    monkeypatch.setenv("ZFED_SEED", "5")
    code, out, _ = outcome(
        capsys,
        *(
            "coordinator",
            "--config",
            str(file),
            "--rounds",
            "3",
            "--evaluate-workers",
            "--train",
            "batches=50",
        ),
        "--print-config",
    )
    shown = {line.partition("  #")[0].strip(): line.partition("# ")[2] for line in out.splitlines()}
    assert code == 0
    assert shown["rounds = 3"] == "--rounds"
    assert shown["seed = 5"] == "ZFED_SEED"
    assert shown["min_workers = 2"] == f"{file}:[run]"
    assert shown["upload_slots = 8"] == "default"
    assert shown["workers = true"] == "--evaluate-workers"
    assert shown["batches = 50"] == "--train"


def test_no_turns_a_switch_off_that_a_file_turned_on(capsys, tmp_path):
    file = tmp_path / "zfed.toml"
    file.write_text("[evaluate]\nworkers = true\n")
    words = ("coordinator", "--config", str(file), "--no-evaluate-workers", "--print-config")
    assert "workers = false" in outcome(capsys, *words)[1]


@pytest.mark.parametrize("command", ["worker", "evaluator"])
def test_print_config_of_a_member_shows_its_tasks_settings(capsys, command):
    code, out, _ = outcome(capsys, command, "--name", "alice", "--set", "root=data", "--print-config")
    assert code == 0
    assert 'name = "alice" ' in out
    assert 'root = "data" ' in out


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[run]\nronds = 3\n", '[run] has no key "ronds"; did you mean "rounds"?'),
        ("[run]\nrounds = 'x'\n", 'expected a whole number, at least 1; seen "x"'),
        ("[run\n", "not valid TOML"),
    ],
)
def test_a_bad_file_is_bad_usage_and_says_where(capsys, tmp_path, content, message):
    file = tmp_path / "zfed.toml"
    file.write_text(content)
    code, out, err = outcome(capsys, "coordinator", "--config", str(file))
    assert (code, out) == (2, "")
    assert err.startswith(f"zfed: {file}: ")
    assert message in err


def test_a_file_that_is_not_there_is_bad_usage(capsys, tmp_path):
    code, _, err = outcome(capsys, "worker", "--config", str(tmp_path / "none.toml"))
    assert code == 2
    assert "none.toml: cannot be read: No such file or directory" in err


def test_a_file_that_is_not_text_is_bad_usage(capsys, tmp_path):
    file = tmp_path / "zfed.toml"
    file.write_bytes(b"\xff\xfe")
    assert "not UTF-8 text" in outcome(capsys, "worker", "--config", str(file))[2]


def test_version_says_what_a_bug_report_needs(capsys):
    code, out, _ = outcome(capsys, "version")
    assert code == 0
    assert {"zfed", "pyzmq", "numpy", "torch", "python"} <= {line.split()[0] for line in out.splitlines()}
