import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.zfed.transport.test_memory import World
from zfed.transport.memory_link import Lane, NodeLink


@given(st.lists(st.tuples(st.floats(0, 10), st.integers(0, 10**6)), max_size=20), st.floats(1.0, 1e6))
def test_a_lane_is_never_faster_than_it_is_and_idle_only_without_work(sent, rate):
    lane, now = Lane(bytes_per_s=rate), 0.0
    busy_since, since_then = 0.0, 0
    for pause, nbytes in sent:
        now += pause
        if lane.free_at <= now:
            busy_since, since_then = now, 0
        since_then += nbytes
        assert lane.send(nbytes, now) == pytest.approx(busy_since + since_then / rate)
    assert lane.carried == sum(nbytes for _, nbytes in sent)


def test_messages_take_as_long_as_their_bytes_need_and_the_delay_of_the_link():
    world = World(delay_s=(0.0, 0.0))
    link = NodeLink(up=Lane(100.0), down=Lane(1000.0), delay_s=0.5)
    world.network.links["alice"] = link
    world.node.send(b"", [b"h" * 20, memoryview(bytes(180))])
    world.node.send(b"", [b"h" * 100])
    world.settle()
    assert [at for at, _ in world.up] == [2.5, 3.5]
    world.listener.send(world.route, [b"h" * 1000])
    world.settle()
    assert [at for at, _ in world.down] == [3.5 + 1.0 + 0.5]
    assert (link.up.carried, link.down.carried) == (300, 1000)


def test_a_connection_made_anew_has_the_same_link():
    world = World(delay_s=(0.0, 0.0))
    world.network.links["alice"] = NodeLink(up=Lane(100.0))
    world.node.send(b"", [bytes(200)])
    world.node.open()
    world.node.send(b"", [bytes(100)])
    world.settle()
    assert [at for at, _ in world.up] == [3.0]


def test_a_link_that_nothing_is_said_of_carries_anything_in_no_time():
    assert NodeLink().up.bytes_per_s == math.inf
    world = World(delay_s=(0.25, 0.25))
    world.node.send(b"", [bytes(10**6)])
    world.settle()
    assert [at for at, _ in world.up] == [0.25]
