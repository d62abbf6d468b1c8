"""Real processes in which nothing from outside may become code; see also tests/code_from_data.py."""

import subprocess
import sys
from pathlib import Path

import pytest

AUDITED = Path(__file__).with_name("audited.py")

pytestmark = pytest.mark.processes


def test_whole_runs_unpickle_compile_and_execute_nothing_that_came_from_outside(fleet, monkeypatch):
    monkeypatch.setattr("tests.processes.PROGRAM", [str(AUDITED)])
    coordinator = fleet.coordinator(
        *("--rounds", 2, "--wait-for", "alice,bob,examiner", "--strategy", "fedavgm"),
        *("--compress", "int8", "--compress-model", "bf16", "--evaluate-rounds", "2", "--evaluate-workers"),
    )
    workers = [fleet.worker("alice", remember=True), fleet.worker("bob", "--compress", "topk:0.5")]
    nodes = [coordinator, *workers, fleet.evaluator()]
    assert [node.exit_code() for node in nodes] == [0] * 4, "\n".join(node.errors for node in nodes)


@pytest.mark.parametrize(
    "bad",
    ["pickle.loads(pickle.dumps(pickle.Unpickler))", "eval('1 + 1')", "exec('x = 1')"],
)
def test_the_audit_ends_a_process_that_makes_code_of_data(bad):
    script = f"import pickle, sys\nimport audited\nsys.addaudithook(audited.watch)\n{bad}"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=AUDITED.parent, capture_output=True, text=True, check=False
    )
    assert done.returncode == 97
    assert "audited: " in done.stderr
