"""A coordinator killed with -9 and started again with the same command; tests/chaos has all other faults."""

import signal

import pytest
from safetensors.numpy import load_file

from zfed.facts import Evaluated, NodeJoined, Progress, RoundCommitted, RoundOpened, RunEnded, RunResumed

pytestmark = pytest.mark.processes

NAMES = ("alice", "bob")
ROUNDS = 4


def run(fleet, name, *, killed_in=0):
    """One run with an evaluator; its coordinator is killed while this round is under way."""
    flags = ("--rounds", ROUNDS, "--wait-for", "alice,bob,examiner", "--seed", 3, "--evaluate-every", 2)
    coordinator = fleet.coordinator(*flags, run=name)
    nodes = [fleet.worker(each, "--partition", f"iid:{k}/2", pause_s=0.3) for k, each in enumerate(NAMES, 1)]
    nodes.append(fleet.evaluator())
    if killed_in:
        coordinator.awaited(RoundOpened, round=killed_in)
        coordinator.process.send_signal(signal.SIGKILL)
        assert coordinator.exit_code() == -signal.SIGKILL
        coordinator = fleet.coordinator(*flags, run=name, bind=fleet.address)
    assert [node.exit_code() for node in (coordinator, *nodes)] == [0] * 4
    return coordinator, nodes


def test_killed_coordinator_goes_on_where_it_was_and_ends_with_the_same_bytes(fleet):
    undisturbed, _ = run(fleet, "undisturbed")
    resumed, (alice, bob, examiner) = run(fleet, "killed", killed_in=2)
    [fact] = resumed.told(RunResumed)
    assert (fact.start, fact.version, fact.awaited) == (2, 1, ["alice", "bob", "examiner"])
    assert {joined.node for joined in resumed.told(NodeJoined, rejoined=True)} == {"alice", "bob", "examiner"}
    assert [committed.round for committed in resumed.told(RoundCommitted)] == [2, 3, 4]
    for worker in (alice, bob):
        trained = [done.round for done in worker.told(Progress, stage="train") if done.done == done.total]
        assert trained == [*range(1, ROUNDS + 1)]
    assert [done.round for done in examiner.told(Evaluated)] == [2, 4]
    models = [load_file(node.told(RunEnded)[0].model) for node in (undisturbed, resumed)]
    assert {name: array.tobytes() for name, array in models[0].items()} == {
        name: array.tobytes() for name, array in models[1].items()
    }
    again = fleet.coordinator("--rounds", ROUNDS, run="killed")
    assert again.exit_code() == 0
    assert again.told(RunEnded)[0].status == "completed"
