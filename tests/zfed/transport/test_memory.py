import pytest
from hypothesis import given
from hypothesis import strategies as st

from zfed.transport import LinkFaults, MemoryNetwork, VirtualClock


class World:
    """A coordinator that echoes nothing and one node, both writing down what arrives and when."""

    def __init__(self, *, seed=0, **faults):
        self.clock = VirtualClock()
        self.network = MemoryNetwork(self.clock, seed=seed, faults=LinkFaults(**faults))
        self.up, self.down = [], []
        self.listener = self.network.listen(self.arrived_up)
        self.node = self.network.connector("alice", self.arrived_down)
        self.node.open()

    def arrived_up(self, route, frames, node):
        self.route = route
        self.up.append((self.clock.now, frames[0]))

    def arrived_down(self, route, frames):
        assert route == b""
        self.down.append((self.clock.now, frames[0]))

    def settle(self):
        while self.clock.step():
            pass

    def introduce(self):
        """Let the coordinator learn the node's route."""
        self.node.send(b"", [b"hello"])
        self.settle()
        self.up.clear()


def contents(arrived):
    return [frame for _, frame in arrived]


def test_clock_does_what_is_due_in_order_of_time_and_then_of_asking():
    clock, done = VirtualClock(), []
    for name, time in [("late", 2.0), ("early", 1.0), ("early too", 1.0), ("past", -1.0)]:
        clock.at(time, lambda name=name: done.append((clock.now, name)))
    while clock.step():
        pass
    assert done == [(0.0, "past"), (1.0, "early"), (1.0, "early too"), (2.0, "late")]


def test_clock_stops_at_its_limit():
    clock = VirtualClock()
    clock.at(5.0, lambda: None)
    assert not clock.step(until=4.9)
    assert clock.now == 0.0
    assert clock.step(until=5.0)


@given(st.integers(0, 2**32), st.floats(0, 5), st.floats(0, 5))
def test_good_link_delivers_everything_once_and_in_order_within_its_delay(seed, shortest, more):
    world = World(seed=seed, delay_s=(shortest, shortest + more))
    sent = [bytes([number]) for number in range(20)]
    for frame in sent:
        assert world.node.send(b"", [frame])
    world.settle()
    assert contents(world.up) == sent
    assert all(shortest <= time <= shortest + more for time, _ in world.up)


def test_answers_go_back_on_the_route_of_the_question():
    world = World()
    world.introduce()
    assert world.listener.send(world.route, [b"answer"])
    world.settle()
    assert contents(world.down) == [b"answer"]


def test_every_connection_has_a_route_of_its_own_and_the_one_before_is_gone():
    world = World()
    world.introduce()
    old = world.route
    world.node.open()
    world.introduce()
    assert world.route != old
    assert not world.listener.send(old, [b"too late"])


def test_message_under_way_on_a_connection_that_closes_is_lost():
    world = World()
    world.node.send(b"", [b"lost"])
    world.node.disconnect()
    world.settle()
    assert world.up == []
    assert not world.node.send(b"", [b"nobody is connected"])


def test_connecting_while_nobody_listens_is_silent_and_stays_so():
    world = World()
    world.listener.close()
    world.node.open()
    assert world.node.send(b"", [b"hello?"])
    world.settle()
    world.network.listen(world.arrived_up)
    assert not world.node.send(b"", [b"that connection was never made"])
    assert world.up == []


def test_isolated_node_hears_and_says_nothing_and_nobody_is_told():
    world = World()
    world.introduce()
    world.network.isolate("alice")
    assert world.node.send(b"", [b"up"])
    assert world.listener.send(world.route, [b"down"])
    world.settle()
    world.network.reconnect("alice")
    assert world.node.send(b"", [b"again"])
    world.settle()
    assert contents(world.up) == [b"again"]
    assert world.down == []


def test_link_that_loses_everything_delivers_nothing():
    world = World(loss=1.0)
    assert world.node.send(b"", [b"x"])
    world.settle()
    assert world.up == []


def test_link_that_duplicates_everything_delivers_all_twice():
    world = World(duplication=1.0)
    for frame in (b"a", b"b"):
        world.node.send(b"", [frame])
    world.settle()
    assert sorted(contents(world.up)) == [b"a", b"a", b"b", b"b"]


def test_reordering_link_delivers_all_once_but_not_always_in_order():
    world = World(reordering=0.5)
    sent = [bytes([number]) for number in range(50)]
    for frame in sent:
        world.node.send(b"", [frame])
    world.settle()
    assert contents(world.up) != sent
    assert sorted(contents(world.up)) == sent


def test_link_that_cuts_breaks_for_both_sides():
    world = World()
    world.introduce()
    world.network.faults = LinkFaults(cut=1.0)
    assert not world.listener.send(world.route, [b"x"])
    world.network.faults = LinkFaults()
    assert not world.node.send(b"", [b"x"])


@pytest.mark.parametrize("seed", range(3))
def test_same_seed_makes_the_same_network(seed):
    def run():
        world = World(seed=seed, delay_s=(0.0, 1.0), loss=0.2, duplication=0.2, reordering=0.3)
        for number in range(50):
            world.node.send(b"", [bytes([number])])
        world.settle()
        return world.up

    assert run() == run()
