"""What one node can do to the others by sending too much: nothing."""

import numpy as np
import pytest

from tests.zfed.nodes.scripted_coordinator import Table, buffer
from tests.zfed.simulation.simulated import configured, run_directory
from zfed.facts import NodeJoined, NodeLeft, NodeRefused, RoundCommitted
from zfed.nodes.words import FramesArrived
from zfed.params import ParameterBuffer
from zfed.wire.guard import TOLD
from zfed.wire.messages import Bye, Chunk, Pong, Pull, Refused


@pytest.fixture
def make_table():
    with run_directory() as directory:
        yield lambda **options: Table(configured(**options), directory)


def many_tensors(seed=0):
    """A model whose description takes several chunks."""
    return ParameterBuffer.from_arrays(
        {f"{seed}-{n}-{'x' * 40}": np.zeros(1, np.float32) for n in range(200)}
    )


def test_a_node_that_floods_is_refused_and_its_round_goes_on_without_it(make_table):
    table = make_table(wait_for="2", rounds=1, rejoin_grace_s=0.0, limits={"messages": 50})
    alice, eve = table.connect("alice"), table.connect("eve")
    order, _ = table.with_first_model(alice, eve)
    for number in range(200):
        eve.say(Pong(number=number))
    assert eve.last(Refused).code == "limits"
    assert [fact.node for fact in table.told(NodeLeft)] == ["eve"]
    assert [fact.code for fact in table.told(NodeRefused)] == ["limits"]
    alice.offer(order, buffer(0.5))
    table.wait(3.0)
    assert [fact.workers for fact in table.told(RoundCommitted)] == [["alice"]]
    assert table.dropped == [eve.route]


def test_chunks_that_nobody_pulled_are_a_flood_and_those_that_were_pulled_are_not(make_table):
    table = make_table(wait_for="2", limits={"unasked": "64KiB"})
    alice = table.connect("alice", values=many_tensors())
    assert [fact.node for fact in table.told(NodeJoined)] == ["alice"]
    for offset in range(5):
        alice.say(Chunk(blob="layout", offset=offset), bytes(64 << 10))
    assert "nobody asked for (--max-unasked)" in alice.last(Refused).reason


def test_of_a_thousand_dropped_messages_a_few_are_told_and_all_are_counted(make_table):
    table = make_table()
    for _ in range(1000):
        table.handle(FramesArrived(b"stranger", [b"garbage"]))
    assert len(table.told(NodeRefused)) == TOLD


def test_who_has_sent_most_of_a_description_must_go_where_there_is_no_more_room(make_table):
    table = make_table(wait_for="3", limits={"staging": "20KiB"})
    eve, alice = (table.connect(name, mute=True, values=many_tensors(name)) for name in ("eve", "alice"))
    for node, pulls in ((eve, 3), (alice, 10)):
        answered = 0
        while answered < min(pulls, len(node.of(Pull))):
            node.answer(node.of(Pull)[answered])
            answered += 1
            run_later(table)
    assert eve.last(Refused).code == "limits"
    assert "--max-staging" in eve.last(Refused).reason
    assert [fact.node for fact in table.told(NodeJoined)] == ["alice"]


def run_later(table):
    while table.later:
        table.later.pop(0)()


def test_descriptions_of_nodes_that_went_away_make_room(make_table):
    table = make_table(wait_for="3", limits={"staging": "12KiB"})
    for number in range(10):
        node = table.connect(f"w{number}", mute=True, values=many_tensors(number))
        node.answer(node.last(Pull))
        run_later(table)
        node.say(Bye())
    assert not table.told(NodeRefused)
