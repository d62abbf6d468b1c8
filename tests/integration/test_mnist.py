"""The published demo on real MNIST, cut to two rounds: five processes, PyTorch, evaluation of all models."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

DATA = Path(__file__).parents[2] / "data"
OWN_DIGITS = {"alice": "0123", "bob": "456", "charlie": "789"}

pytestmark = [
    pytest.mark.processes,
    pytest.mark.mnist,
    pytest.mark.skipif(not (DATA / "MNIST").is_dir(), reason="MNIST is not here: zfed data get mnist"),
]


def demo(*words: str, folder: Path) -> str:
    pytest.importorskip("torch")
    command = [sys.executable, "-m", "zfed_cli.main", "demo", *words]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def published(run: Path, *recipe: str) -> None:
    flags = ["--rounds", "2", "--seed", "7", "--data", str(DATA), "--run", str(run)]
    demo(*recipe, *flags, folder=run.parent)


def without_evaluator(folder: Path) -> Path:
    """The recipe as a file, less its evaluator and what is asked of it: that is half of the work."""
    text = demo("--recipe", "published", "--print-recipe", folder=folder)
    head, _, nodes = text.partition("[evaluate]")
    workers = nodes[nodes.index("[[node]]") :].partition('[[node]]\nkind = "evaluator"')[0]
    recipe = folder / "workers.toml"
    recipe.write_text(head + workers)
    return recipe


def records(run: Path, event: str) -> list[dict]:
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return [record for line in lines if (record := json.loads(line))["event"] == event]


def test_published_demo_gives_the_same_bytes_if_evaluated_or_not_and_each_worker_knows_its_digits(tmp_path):
    published(tmp_path / "first", "--recipe", "published")
    published(tmp_path / "second", "--config", str(without_evaluator(tmp_path)))
    assert not records(tmp_path / "second", "evaluated")

    first, second = (tmp_path / name / "model.safetensors" for name in ("first", "second"))
    # The header names the run; the numbers after it must be the same to the bit
    assert first.read_bytes()[-431_080 * 4 :] == second.read_bytes()[-431_080 * 4 :]

    after_round_1 = {record["subject"]: record for record in records(tmp_path / "first", "evaluated")[:4]}
    for worker, digits in OWN_DIGITS.items():
        predicted = after_round_1[worker]["predicted"]
        own = sum(count for digit, count in predicted.items() if digit in digits)
        assert own >= 0.99 * 10_000, (worker, predicted)
    assert after_round_1["federated"]["examples"] == 10_000

    rounds = records(tmp_path / "first", "round")
    assert [record["round"] for record in rounds] == [1, 2]
    assert rounds[0]["workers"] == ["alice", "bob", "charlie"]
    assert rounds[0]["bytes_up"] == rounds[0]["bytes_down"] == 3 * 431_080 * 4
