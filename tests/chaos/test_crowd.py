"""Two hundred workers lose one coordinator and come back to the next in the same instant."""

import os
import subprocess
import sys
import time

import pytest

from tests.free_port import free_port
from zfed.facts import NodeJoined, RoundCommitted, RunEnded

WORKERS = 200
BACK_S = 30.0
ROUNDS = 12


@pytest.fixture
def crowd(fleet):
    """Starts light workers, each with its own connection, in two processes."""
    started = []

    def start(address):
        half = WORKERS // 2
        for first in (0, half):
            command = [sys.executable, "-m", "tests.perf.crowd_members", address, "--first", str(first)]
            command += ["--workers", str(half), "--bytes", "100000"]
            environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
            started.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment))
        return started

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_two_hundred_workers_reconnect_at_once_and_all_are_back_in_under_30_s(fleet, crowd, figure):
    bind = f"tcp://127.0.0.1:{free_port()}"
    flags = ("--insecure", "--rounds", ROUNDS, "--wait-for", WORKERS)
    coordinator = fleet.coordinator(*flags, bind=bind)
    members = crowd(bind)
    coordinator.awaited(RoundCommitted, round=4, within_s=120)
    coordinator.process.kill()
    killed_at = time.monotonic()
    coordinator = fleet.coordinator(*flags, bind=bind)
    while len({fact.node for fact in coordinator.told(NodeJoined)}) < WORKERS:
        assert time.monotonic() - killed_at < BACK_S
        time.sleep(0.05)
    figure(
        f"{WORKERS} workers were back {time.monotonic() - killed_at:.1f} s after their coordinator was killed"
    )
    assert coordinator.exit_code(120) == 0
    assert coordinator.told(RunEnded)[0].rounds_done == ROUNDS
    assert {len(fact.workers) for fact in coordinator.told(RoundCommitted)} == {WORKERS}
    assert [process.wait(30) for process in members] == [0, 0]
