from __future__ import annotations

import argparse
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from zfed.data import DATASETS
from zfed.errors import DataError, UsageError
from zfed_cli import data

RUN = """
import argparse, sys
from zfed_cli import data
parser = argparse.ArgumentParser(prog="zfed")
data.add_parser(parser.add_subparsers())
args = parser.parse_args(sys.argv[1:])
print([name for name in ("numpy", "rich", "torch", "zmq") if name in sys.modules])
sys.exit(args.run(args))
"""


def run(*arguments: str) -> int:
    parser = argparse.ArgumentParser(prog="zfed")
    data.add_parser(parser.add_subparsers())
    args = parser.parse_args(["data", *arguments])
    return args.run(args)


@pytest.fixture
def kmnist_folder() -> Path:
    folder = Path(__file__).parents[2] / "../shared/data/kmnist"
    if not folder.is_dir():
        pytest.skip("the KMNIST test files are not beside this checkout")
    return folder


@pytest.fixture
def mnist_root() -> Path:
    root = Path(__file__).parents[2] / "data"
    if not (root / "MNIST" / "raw").is_dir():
        pytest.skip("MNIST is not here: zfed data get mnist")
    return root


@pytest.mark.mnist
def test_a_data_set_that_is_here_is_ready_at_once(mnist_root, capsys):
    assert run("get", "mnist", "--root", str(mnist_root)) == 0
    seen = capsys.readouterr()
    assert seen.out.startswith(f"mnist: ready in {mnist_root / 'MNIST/raw'}\ncredit: MNIST")
    assert seen.err == ""


def test_progress_in_a_pipe_is_plain_lines_on_stderr(kmnist_folder, tmp_path, capsys):
    with pytest.raises(DataError, match="the test part is ready"):
        run("get", "kmnist", "--from", str(kmnist_folder), "--root", str(tmp_path))
    seen = capsys.readouterr()
    assert seen.out == ""
    assert seen.err.splitlines() == [
        "getting t10k-images-idx3-ubyte (7.8 MB)",
        "getting t10k-labels-idx1-ubyte (0.0 MB)",
    ]
    assert run("list", "--root", str(tmp_path)) == 0
    assert "  kmnist         test\n" in capsys.readouterr().out


def test_progress_on_a_terminal_is_a_bar(kmnist_folder, tmp_path):
    main, child = pty.openpty()
    arguments = ["data", "get", "kmnist", "--from", str(kmnist_folder), "--root", str(tmp_path)]
    done = subprocess.Popen(
        [sys.executable, "-c", RUN, *arguments],
        stdout=subprocess.DEVNULL,
        stderr=child,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "60"},
    )
    os.close(child)
    shown = b""
    try:
        while piece := os.read(main, 65536):
            shown += piece
    except OSError:  # how a terminal says that its other side is gone
        pass
    os.close(main)
    assert done.wait() == 1
    assert b"\x1b[" in shown
    assert b"t10k-" in shown


def test_the_list_names_every_data_set(tmp_path, capsys):
    assert run("list", "--root", str(tmp_path)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"data sets in {tmp_path}:"
    assert lines[1:] == [f"  {name:<14} not here" for name in DATASETS]


def test_an_unknown_name_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="did you mean 'kmnist'"):
        run("get", "kmnits", "--root", str(tmp_path))


@pytest.mark.parametrize("arguments", [["--help"], ["get", "--help"]])
def test_help_shows_examples_and_every_name(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        run(*arguments)
    assert caught.value.code == 0
    seen = capsys.readouterr().out
    assert "zfed data get mnist --from" in seen
    if "get" in arguments:
        assert set(re.findall(r"[a-z-]*mnist", seen)) >= set(DATASETS)


def test_parsing_loads_nothing_heavy(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", RUN, "data", "list", "--root", str(tmp_path)], capture_output=True, text=True
    )
    assert done.stdout.splitlines()[0] == "[]"
