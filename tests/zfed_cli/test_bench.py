from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.zfed.benchmark.examples import comparison
from zfed_cli.bench import print_tables
from zfed_cli.main import main


def bench(*words: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ZFED_")}
    return subprocess.run(
        [sys.executable, "-m", "zfed_cli.main", "bench", *words],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--size", "big"], "size is 'big'"),
        (["--workers", "two"], "--workers is 'two', expected a whole number"),
        (["--workers", "0"], "workers is 0, expected at least 1"),
        (["--rounds", "-3"], "rounds is -3"),
        (["--run-directory", "/nowhere/at/all"], "/nowhere/at/all"),
        (["--block", "3"], 'did you mean "--blocks"?'),
    ],
)
def test_bad_usage_is_said_and_starts_nothing(capsys, words, said):
    assert main(["bench", *words]) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.out == ""


@pytest.mark.parametrize(("columns", "ratio"), [(40, ""), (60, "1.50"), (120, "1.20")])
def test_the_tables_fit_the_terminal(capsys, monkeypatch, columns, ratio):
    monkeypatch.setenv("COLUMNS", str(columns))
    print_tables(comparison())
    shown = capsys.readouterr().out.splitlines()
    assert max(len(line) for line in shown) <= columns
    assert any("np.average" in line and "3.50x" in line for line in shown)
    if columns >= 60:
        assert any("round, median" in line and line.split()[-1] == ratio for line in shown)


@pytest.mark.processes
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc on this system")
def test_a_small_benchmark_measures_all_sides_and_leaves_nothing(tmp_path):
    words = ["--size", "0.1MB", "--workers", "2", "--rounds", "3", "--blocks", "1", "--json"]
    result = bench(*words, "--run-directory", str(tmp_path))
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    for side in ("encrypted", "plain", "raw"):
        measured = found[side]
        assert 0 < measured["fastest_s"] <= measured["round_s"] <= measured["slowest_s"] < 5
        assert 0 < measured["cpu_coordinator_s"] < measured["cpu_s"] < 5
        assert len(measured["cpu_workers_s"]) == len(measured["peak_workers_bytes"]) == 2
        assert min([measured["peak_coordinator_bytes"], *measured["peak_workers_bytes"]]) >= 0
        assert measured["bytes_up"] == pytest.approx(200_000, rel=0.01)
        assert measured["bytes_down"] == pytest.approx(200_000, rel=0.01)
    assert found["ratios"]["round"] == found["plain"]["round_s"] / found["raw"]["round_s"]
    assert result.stderr.splitlines() == [
        *("block 1 of 1: zfed", "block 1 of 1: zfed --insecure", "block 1 of 1: raw sockets"),
        "averaging alone",
    ]
    assert list(tmp_path.iterdir()) == []
