"""What a change of the roster does to a round that is under way."""

import pytest

from tests.zfed.nodes.scripted_coordinator import Table
from tests.zfed.nodes.test_coordinator_logic_compressed import MODEL, delta, join, offer
from tests.zfed.simulation.simulated import configured, run_directory
from zfed.facts import NodeLeft, NodeRefused, RoundCommitted, UpdateAccepted
from zfed.nodes.coordinator_words import InspectUpdate, RosterChanged
from zfed.wire.messages import Refused, Train
from zfed.wire.roster import Enrolled, Roster

ROSTER = Roster(Enrolled(node=name, key=name) for name in ("alice", "bob"))
WITHOUT_ALICE = Roster(
    [Enrolled(node="alice", key="alice", objection="the key of alice was revoked"), ROSTER.find("bob")]
)


class Slow(Table):
    """What an inspection found is told when the test says so."""

    def __init__(self, *args):
        self.found = []
        super().__init__(*args)

    def perform(self, effects):
        self.found += [
            self.aggregation.perform(effect) for effect in effects if isinstance(effect, InspectUpdate)
        ]
        super().perform([effect for effect in effects if not isinstance(effect, InspectUpdate)])


@pytest.fixture
def table():
    config = configured(rounds=1, wait_for="2", value_range=8.0, compress="int8")
    with run_directory() as directory:
        yield Slow(config, directory, ROSTER)


@pytest.fixture
def nodes(table):
    """Alice's update is here and looked at, bob trains."""
    nodes = [join(table, name, key=name) for name in ("alice", "bob")]
    table.with_first_model(*nodes, values=MODEL)
    offer(nodes[0], nodes[0].last(Train), delta(), encoding="int8")
    return nodes


def test_an_update_that_is_looked_at_when_its_key_is_revoked_does_not_count(table, nodes):
    _, bob = nodes
    table.handle(RosterChanged(WITHOUT_ALICE))
    for found in table.found:
        table.handle(found)
    assert not table.told(UpdateAccepted)
    table.found.clear()
    offer(bob, bob.last(Train), delta(), encoding="int8")
    table.handle(table.found.pop())
    [committed] = table.told(RoundCommitted)
    assert list(committed.workers) == ["bob"]


def test_without_the_revocation_it_counts(table, nodes):
    table.handle(table.found.pop())
    assert [fact.node for fact in table.told(UpdateAccepted)] == ["alice"]


def test_a_revoked_node_is_told_why_once_and_is_not_waited_for(table, nodes):
    alice, _ = nodes
    table.handle(RosterChanged(WITHOUT_ALICE))
    alice.say(alice.hello)
    [refused] = alice.of(Refused)
    assert (refused.about, refused.code, refused.reason) == ("hello", "key", "the key of alice was revoked")
    assert [fact.code for fact in table.told(NodeRefused)] == ["key"]
    assert [fact.reason for fact in table.told(NodeLeft)] == ["the key of alice was revoked"]


def test_a_node_that_declared_more_examples_than_it_is_enrolled_for_now_is_told_both_numbers(table, nodes):
    alice, bob = nodes
    fewer = Enrolled(node="alice", key="alice", max_examples=9)
    table.handle(RosterChanged(Roster([fewer, ROSTER.find("bob")])))
    [refused] = alice.of(Refused)
    assert (refused.about, refused.code) == ("hello", "examples")
    assert "alice declares 10 examples, it is enrolled for 9 at most" in refused.reason
    again = join(table, "alice", key="alice")
    assert again.last(Refused).code == "examples"
    offer(bob, bob.last(Train), delta(), encoding="int8")
    for found in table.found:
        table.handle(found)
    assert table.told(RoundCommitted)[0].workers == ["bob"]


def test_others_notice_nothing(table, nodes):
    _, bob = nodes
    before = list(bob.heard)
    table.handle(RosterChanged(WITHOUT_ALICE))
    assert bob.heard == before
