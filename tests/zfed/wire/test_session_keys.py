"""Rule 0 of `zfed.wire.session`: whose key it is counts, not what a node says of itself."""

import pytest

from tests.zfed.wire.strategies import hello
from tests.zfed.wire.test_session import Door, kinds
from zfed.wire.codec import encode
from zfed.wire.messages import Bye, Pong, Refused
from zfed.wire.roster import Enrolled, Invited, Roster
from zfed.wire.session_words import Heard, Lost, Opened, Turned

ALICE = Enrolled(node="alice", key="key-of-alice", max_examples=100)
BOB = Enrolled(node="bob", key="key-of-bob")
REVOKED = Enrolled(node="carol", key="key-of-carol", objection="the key of carol was revoked on 2026-11-22")
INVITED = Invited(node="dave", key="one-time")


class Locked(Door):
    """Sessions that ask for keys."""

    def __post_init__(self):
        super().__post_init__()
        self.sessions.roster = Roster([ALICE, BOB, REVOKED, INVITED])

    def say(self, route, message, *, key, epoch=0, at=0.0):
        return self.welcomed(self.sessions.receive(route, encode(message, epoch=epoch), at, key))

    def refusals(self, route):
        return [(told.code, told.reason) for told in self.told(route) if isinstance(told, Refused)]


def opened(door, route=b"r1", *, key=ALICE.key, node="alice", instance=1, at=0.0):
    events = door.say(route, hello(node=node, instance=instance), key=key, at=at)
    assert isinstance(events[-1], Opened)
    return events[-1].session


def test_a_node_with_its_own_key_gets_a_session_that_knows_what_was_enrolled():
    assert opened(Locked()).enrolled == ALICE


def test_another_nodes_name_is_refused_to_a_good_key():
    door = Locked()
    [event] = door.say(b"r1", hello(node="alice"), key=BOB.key)
    assert isinstance(event, Turned)
    [(code, reason)] = door.refusals(b"r1")
    assert code == "key"
    assert "belongs to the node 'bob', not to 'alice'" in reason
    assert "--name bob" in reason


def test_another_nodes_name_does_not_disturb_who_has_it():
    door = Locked()
    session = opened(door)
    door.say(b"r2", hello(node="alice"), key=BOB.key)
    assert kinds(door.say(b"r1", Pong(number=0), key=ALICE.key, epoch=session.epoch)) == [Heard]


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        (REVOKED.key, "the key of carol was revoked on 2026-11-22"),
        (INVITED.key, "an invitation's key is for enrolling 'dave'"),
        ("unknown", "not enrolled here any more"),
        ("", "not enrolled here any more"),
    ],
)
def test_a_key_that_is_not_valid_is_told_so_exactly_once_and_nothing_of_it_is_heard(key, sentence):
    door = Locked()
    assert kinds(door.say(b"r1", hello(), key=key)) == [Turned]
    assert [door.say(b"r1", message, key=key) for message in (hello(), Bye(), Pong(number=1))] == [[]] * 3
    [(_, reason)] = door.refusals(b"r1")
    assert sentence in reason


def test_bytes_of_a_key_that_is_not_valid_are_not_even_read():
    door = Locked()
    assert kinds(door.sessions.receive(b"r1", [b"\xff" * 10], 0.0, REVOKED.key)) == [Turned]


def test_a_message_of_another_key_on_a_sessions_route_is_not_that_sessions():
    door = Locked()
    session = opened(door)
    assert kinds(door.say(b"r1", Bye(), key=BOB.key, epoch=session.epoch)) == [Lost]
    assert door.sessions.named("alice") is None


def test_who_takes_over_a_route_gets_a_session_of_its_own_name():
    door = Locked()
    opened(door)
    events = door.say(b"r1", hello(node="bob"), key=BOB.key)
    assert kinds(events) == [Lost, Opened]
    assert events[1].session.node == "bob"


def test_the_newer_of_two_processes_with_one_key_supersedes_at_once_and_the_older_is_told():
    door = Locked()
    older = opened(door, b"r1", instance=1)
    door.drain()
    assert door.say(b"r2", hello(node="alice", instance=2), key=ALICE.key, at=1.0) == []
    door.say(
        b"r1", Pong(number=9), key=ALICE.key, epoch=older.epoch, at=1.1
    )  # that it answers changes nothing
    assert kinds(door.run(1.2, 1.7)) == [Turned, Lost, Opened]
    [(code, reason)] = door.refusals(b"r1")
    assert code == "superseded"
    assert "takes its place" in reason
    assert door.say(b"r1", Pong(number=0), key=ALICE.key, epoch=older.epoch, at=2.1) == []  # late
    assert door.say(b"r1", hello(instance=1), key=ALICE.key, at=2.2) == []  # it does not come back
    session = door.sessions.named("alice")
    assert (session.route, session.enrolled) == (b"r2", ALICE)


def test_a_hello_of_a_process_that_is_dead_by_now_supersedes_nobody():
    """It lay in the queue behind that of the next process."""
    door = Locked()
    opened(door, b"r2", instance=2)
    door.say(b"r1", hello(node="alice", instance=1), key=ALICE.key, at=0.1)
    assert door.gone(b"r1", at=0.2) == []  # PING 0 was not to be sent
    assert door.run(0.5, 3.0) == []
    assert door.sessions.named("alice").route == b"r2"
    assert door.refusals(b"r2") == []


def test_the_dead_process_may_as_well_have_been_heard_first():
    door = Locked()
    opened(door, b"r1", instance=1)
    door.say(b"r2", hello(node="alice", instance=2), key=ALICE.key, at=0.1)
    assert kinds(door.gone(b"r1", at=0.2)) == [Lost, Opened]
    assert door.sessions.named("alice").route == b"r2"


def test_a_third_process_waits_until_it_is_decided_between_two():
    door = Locked()
    opened(door, b"r1", instance=1)
    for number in (2, 3):
        route = f"r{number}".encode()
        assert door.say(route, hello(node="alice", instance=number), key=ALICE.key, at=0.1) == []
    assert kinds(door.run(0.5, 1.0)) == [Turned, Lost, Opened]
    assert door.sessions.named("alice").route == b"r2"
    assert door.refusals(b"r3") == []


def test_the_same_process_that_connects_again_is_not_superseded():
    door = Locked()
    opened(door, b"r1", instance=1)
    events = door.say(b"r2", hello(node="alice", instance=1), key=ALICE.key, at=1.0)
    assert kinds(events) == [Lost, Opened]
    assert door.refusals(b"r1") == []


def test_two_keys_of_one_name_are_one_node_while_both_are_valid():
    door = Locked()
    newer = Enrolled(node="alice", key="new-key-of-alice")
    door.sessions.enrol(Roster([ALICE, newer]), 0.0)
    opened(door, b"r1", instance=1)
    door.say(b"r2", hello(node="alice", instance=2), key=newer.key, at=1.0)
    door.run(1.0, 2.0)
    assert door.sessions.named("alice").enrolled == newer


def test_a_revoked_key_ends_its_session_at_once_and_no_other():
    door = Locked()
    alice = opened(door, b"r1")
    opened(door, b"r2", key=BOB.key, node="bob")
    revoked = Enrolled(node="alice", key=ALICE.key, objection="the key of alice was revoked")
    events = door.sessions.enrol(Roster([revoked, BOB]), 1.0)
    assert kinds(events) == [Turned, Lost]
    assert door.refusals(b"r1") == [("key", "the key of alice was revoked")]
    assert door.say(b"r1", Pong(number=0), key=ALICE.key, epoch=alice.epoch, at=1.1) == []
    assert door.sessions.named("bob") is not None


@pytest.mark.parametrize(
    "left", [[], [Enrolled(node="mallory", key=ALICE.key)], [Invited(node="alice", key=ALICE.key)]]
)
def test_a_key_that_is_taken_off_the_roster_or_is_another_nodes_ends_its_session(left):
    door = Locked()
    opened(door)
    assert kinds(door.sessions.enrol(Roster(left), 1.0)) == [Turned, Lost]


def test_a_key_that_is_revoked_while_it_would_supersede_another_does_not():
    door = Locked()
    newer = Enrolled(node="alice", key="new-key-of-alice")
    door.sessions.enrol(Roster([ALICE, newer]), 0.0)
    opened(door, b"r1", instance=1, key=newer.key)
    door.say(b"r2", hello(node="alice", instance=2), key=ALICE.key, at=1.0)
    revoked = Enrolled(node="alice", key=ALICE.key, objection="the key of alice was revoked")
    assert door.sessions.enrol(Roster([revoked, newer]), 1.1) == []
    assert door.run(1.2, 3.0) == []
    assert door.sessions.named("alice").route == b"r1"


def test_what_is_enrolled_of_a_key_may_change_within_a_session():
    door = Locked()
    session = opened(door)
    less = Enrolled(node="alice", key=ALICE.key, max_examples=10)
    assert door.sessions.enrol(Roster([less]), 1.0) == []
    assert session.enrolled == less
