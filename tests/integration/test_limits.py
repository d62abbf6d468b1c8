import pytest

from zfed.facts import RoundCommitted


@pytest.mark.processes
def test_a_round_takes_its_bytes_over_the_limits_of_worker_and_coordinator(fleet):
    """0.4 MB to the worker at 0.4 MB/s, and back to the coordinator at 0.3."""
    coordinator = fleet.coordinator("--rounds", 1, "--limit-down", 0.3)
    alice = fleet.worker("alice", "--limit-down", 0.4, width=100_000)
    assert [node.exit_code() for node in (coordinator, alice)] == [0, 0]
    [committed] = coordinator.told(RoundCommitted)
    limited_s = committed.bytes_down / 0.4e6 + committed.bytes_up / 0.3e6
    # A busy machine also trains and commits; without that, tests/zfed/nodes/test_limits.py is exact.
    assert 0.9 * limited_s < committed.seconds < 1.1 * limited_s + 2.0
