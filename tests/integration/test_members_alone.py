"""What workers do by themselves: find the coordinator, remember, and end when a task is stuck."""

import pytest

from tests.free_port import free_port
from zfed.facts import Connected, NodeJoined, Progress, RoundCommitted, RunEnded

pytestmark = pytest.mark.processes


def test_task_of_a_killed_worker_goes_on_from_the_state_that_counted_last(fleet):
    coordinator = fleet.coordinator("--rounds", 4)
    nobody = f"tcp://127.0.0.1:{free_port()}"
    flags = {"connect": f"{nobody},{fleet.address}", "pause_s": 0.3, "remember": True}
    alice = fleet.worker("alice", **flags)
    coordinator.awaited(RoundCommitted, round=2)
    alice.process.kill()
    again = fleet.worker("alice", **flags)
    assert [node.exit_code() for node in (coordinator, again)] == [0, 0]
    assert again.told(Connected)[0].address == fleet.address
    done = [fact for fact in again.told(Progress, stage="train") if "rounds" in fact.metrics]
    # Round 3 may have been offered, and so counted, by the worker that was killed
    assert [fact.metrics["rounds"] for fact in done] in ([3.0, 4.0], [4.0])


def test_worker_whose_task_is_stuck_ends_with_an_error_that_a_supervisor_sees(fleet):
    coordinator = fleet.coordinator("--rounds", 1, "--round-timeout", 1)
    alice = fleet.worker("alice", "--stop-timeout", 1, pause_s=60.0, fault="deaf")
    assert alice.exit_code() == 1
    [ended] = alice.told(RunEnded)
    assert ended.status == "failed"
    assert ended.reason.startswith("the task is stuck in training of round 1")
    fleet.worker("alice")
    assert coordinator.exit_code() == 0
    assert [fact.rejoined for fact in coordinator.told(NodeJoined)] == [False, True]
