"""Real processes of which not all are asked: called otherwise, or not ready."""

import pytest

from zfed.facts import NodeJoined, Participation, ReadinessChanged, RoundCommitted

pytestmark = pytest.mark.processes


def test_only_who_is_called_so_and_ready_is_asked(fleet, tmp_path):
    mains = tmp_path / "mains"
    on_mains = f"sh -c 'test -e {mains} || {{ echo on battery; exit 1; }}'"
    coordinator = fleet.coordinator(
        *("--rounds", 2, "--wait-for", "alice,bob,carol", "--select", "site=a|b", "--min-cohort", 2),
        *("--heartbeat", 0.2),
    )
    nodes = [
        fleet.worker("alice", "--tag", "gpu,site=a"),
        fleet.worker("bob", "--tag", "site=b", "--ready-command", on_mains, "--ready-every", 0.2),
        fleet.worker("carol", "--tag", "site=c"),
    ]
    joined = coordinator.awaited(NodeJoined, node="alice")
    assert joined.tags == ["gpu", "site=a"]
    coordinator.awaited(ReadinessChanged, node="bob", unready="on battery")
    mains.touch()
    assert [node.exit_code() for node in (coordinator, *nodes)] == [0] * 4
    assert coordinator.told(ReadinessChanged)[-1].unready == ""
    assert [fact.workers for fact in coordinator.told(RoundCommitted)] == [["alice", "bob"]] * 2
    [report] = coordinator.told(Participation)
    assert [(part.node, part.asked, part.counted) for part in report.workers] == [
        ("alice", 2, 2),
        ("bob", 2, 2),
        ("carol", 0, 0),
    ]


def test_a_ready_command_that_is_not_there_is_refused_before_the_task_is_loaded(fleet):
    node = fleet.worker("alice", "--ready-command", "no-such-command-anywhere", connect="tcp://127.0.0.1:1")
    assert node.exit_code() == 2
    assert "there is no command 'no-such-command-anywhere'" in node.errors
