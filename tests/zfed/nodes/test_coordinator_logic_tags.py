"""What nodes are called, and whether they can work: from HELLO and PONG to whoever watches."""

import pytest

from tests.zfed.nodes.scripted_coordinator import Table
from tests.zfed.simulation.simulated import configured, run_directory
from zfed.facts import NodeJoined, ReadinessChanged
from zfed.nodes.coordinator_words import RosterChanged
from zfed.wire.messages import Ping, Pong
from zfed.wire.roster import Enrolled, Roster

ROSTER = Roster([Enrolled(node="alice", key="alice", tags=("site=a", "trusted"))])


@pytest.fixture
def make_table():
    with run_directory() as directory:
        yield lambda roster=None: Table(configured(rounds=1, wait_for="9"), directory, roster)


def test_without_keys_a_node_is_called_what_it_says(make_table):
    table = make_table()
    table.connect("alice", tags=["gpu", "site=b"])
    [joined] = table.told(NodeJoined)
    assert (joined.tags, joined.ignored_tags) == (["gpu", "site=b"], [])


def test_what_a_node_was_enrolled_as_wins_over_what_it_says(make_table):
    table = make_table(ROSTER)
    table.connect("alice", key="alice", tags=["gpu", "site=b"])
    [joined] = table.told(NodeJoined)
    assert (joined.tags, joined.ignored_tags) == (["site=a", "trusted", "gpu"], ["site=b"])


def test_a_node_that_cannot_work_says_so_when_it_joins(make_table):
    table = make_table()
    table.connect("alice", unready="on battery")
    assert [joined.unready for joined in table.told(NodeJoined)] == ["on battery"]
    assert not table.told(ReadinessChanged)


def answer(table, node, unready):
    """The next PING comes, and is answered."""
    table.wait(2.5)
    node.say(Pong(number=node.last(Ping).number, unready=unready))


def test_a_change_of_readiness_is_told_once(make_table):
    table = make_table()
    alice = table.connect("alice")
    for unready in ("on battery", "on battery", "", ""):
        answer(table, alice, unready)
    assert [fact.unready for fact in table.told(ReadinessChanged)] == ["on battery", ""]


def test_a_node_changes_its_mind_once_a_ping_and_not_as_often_as_it_can_send(make_table):
    table = make_table()
    alice = table.connect("alice")
    answer(table, alice, "on battery")
    for number in (0, 1, 2, 1 << 60):
        alice.say(Pong(number=number, unready=f"reason {number}"))
    assert [fact.unready for fact in table.told(ReadinessChanged)] == ["on battery"]


def test_a_node_that_is_enrolled_anew_is_called_otherwise_from_then_on(make_table):
    table = make_table(ROSTER)
    table.connect("alice", key="alice")
    again = Roster([Enrolled(node="alice", key="alice", tags=("site=b",))])
    table.handle(RosterChanged(again))
    [alice] = table.logic._rounds.roster.workers
    assert alice.tags == ("site=b",)


def test_other_tags_do_not_bring_back_who_is_benched(make_table):
    table = make_table(ROSTER)
    table.connect("alice", key="alice")
    table.logic._rounds.refusals.restore({"alice": 99})
    table.handle(RosterChanged(Roster([Enrolled(node="alice", key="alice", tags=("site=b",))])))
    [alice] = table.logic._rounds.roster.workers
    assert "site=b" not in alice.tags
