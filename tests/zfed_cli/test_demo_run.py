"""The demo with real processes; its task is small enough that starting Python is what takes time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.free_port import free_port
from zfed_cli.main import main

pytestmark = pytest.mark.processes

TASK = """
import time
import numpy as np
from zfed import Context, DataSummary, EvaluateResult, Setup, Task, TrainResult

class Drift(Task):
    '''Adds one to a vector each round.'''

    def __init__(self, *, fails: bool = False, seconds: float = 0.0):
        self.fails, self.seconds = fails, seconds

    def prepare(self, setup: Setup) -> DataSummary:
        if self.fails:
            raise RuntimeError("no data on this machine")
        return DataSummary(examples=10)

    def initial_parameters(self, context: Context):
        return {"w": np.zeros(4, np.float32)}

    def train(self, parameters, context: Context) -> TrainResult:
        time.sleep(self.seconds)
        return TrainResult(parameters={"w": parameters["w"] + 1}, examples=10, metrics={"loss": 1.0})

    def evaluate(self, parameters, context: Context) -> EvaluateResult:
        return EvaluateResult(examples=10, metrics={"loss": float(parameters["w"].mean())})
"""


@pytest.fixture
def start(tmp_path):
    """Starts `zfed demo` on two workers and an evaluator; ends it if a test has not."""
    started = []

    def start_demo(*, rounds: int, settings: str = "") -> subprocess.Popen[str]:
        (tmp_path / "drift.py").write_text(TASK)
        (tmp_path / "tmp").mkdir(exist_ok=True)
        nodes = "".join(
            f'[[node]]\nkind = "{kind}"\nname = "{name}"\ntask = "drift.py:Drift"\nset = {{{settings}}}\n'
            for kind, name in (("worker", "alice"), ("worker", "bob"), ("evaluator", "eve"))
        )
        (tmp_path / "zfed.toml").write_text(
            f'[run]\nrounds = {rounds}\nwait_for = 2\nbind = "tcp://127.0.0.1:{free_port()}"\n'
            f"[report]\nplot = false\n{nodes}"
        )
        process = subprocess.Popen(
            [sys.executable, "-m", "zfed_cli.main", "demo", "--config", "zfed.toml", "--run", "runs/test"],
            cwd=tmp_path,
            env={**os.environ, "TMPDIR": str(tmp_path / "tmp")},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start_demo
    for process in started:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=10)


def children_of(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_demo_runs_to_its_end_and_leaves_model_metrics_and_logs(start, tmp_path):
    process = start(rounds=2)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, out + err
    assert "traffic: encrypted, with keys that were made for this demo and are gone now" in out
    assert "INSECURE" not in out
    assert list((tmp_path / "tmp").glob("zfed-keys-*")) == []
    run = tmp_path / "runs" / "test"
    assert (run / "model.safetensors").exists()
    assert {path.name for path in (run / "logs").iterdir()} == {
        *("coordinator.log", "alice.log", "bob.log", "eve.log")
    }
    events = [json.loads(line)["event"] for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert events.count("round") == 2
    assert "alice | worker alice: 10 training examples" in out
    assert "run completed: 2 of 2 rounds" in out
    assert "from the first one's start to the last one's end" in out
    assert not any(ord(letter) < 32 and letter != "\n" for letter in out), "control characters in a pipe"


def test_a_node_that_ends_early_ends_the_demo_with_its_reason_and_its_log(start, tmp_path):
    process = start(rounds=2, settings="fails = true")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1, out + err
    last = err.splitlines()[-1]
    assert "ended with exit code 1 before the run was over (" in last
    assert "no data on this machine" in last
    log = tmp_path / last.rpartition("its log: ")[2]
    assert "no data on this machine" in log.read_text()


def test_the_same_demo_goes_on_with_a_run_whose_coordinator_was_killed(start, tmp_path, capsys):
    run = tmp_path / "runs" / "test"
    process = start(rounds=4, settings="seconds = 0.2")
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("round 2/4: ") and "weights" in line:
            break
    os.kill(int((run / "lock").read_text()), signal.SIGKILL)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert (
        "killed by SIGKILL before the run was over; how to go on: zfed runs show runs/test; its log: " in err
    )

    out, err = start(rounds=4, settings="seconds = 0.2").communicate(timeout=60)
    assert "run completed: 4 of 4 rounds" in out, out + err
    assert main(["runs", "show", str(run)]) == 0
    told = capsys.readouterr().out
    assert "the coordinator started again (start 2)" in told
    assert [told.count(f"round {number}: version {number} of alice, bob") for number in range(1, 5)] == [
        1
    ] * 4
    log = (run / "logs" / "coordinator.log").read_text()
    assert log.count('"fact":"CoordinatorStarted"') == 2, "the logs of both are kept"


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="no /proc on this system")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_demo_leaves_no_process_within_five_seconds(start, number, code):
    process = start(rounds=10_000, settings="seconds = 0.01")
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("round 2/"):
            break
    children = children_of(process.pid)
    assert len(children) == 4
    began = time.monotonic()
    process.send_signal(number)
    process.communicate(timeout=10)
    assert time.monotonic() - began < 5
    assert process.returncode == code
    assert not any(is_running(pid) for pid in children)
