from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.zfed.wire.strategies import hello
from zfed.config import LimitsConfig
from zfed.wire.codec import decode, encode
from zfed.wire.dismissals import LEAVE_S
from zfed.wire.guard import Guard
from zfed.wire.messages import Bye, Chunk, Ping, Pong, Refused, Welcome
from zfed.wire.session import Sessions
from zfed.wire.session_words import Cut, Heard, Lost, Malformed, Opened, Session, Timing, Turned

WELCOME = Welcome(run="r", ping_s=2.0, lost_s=10.0, protected=False)


@dataclass
class Door:
    """Sessions whose frames are caught and read back; every HELLO that gets its name is welcomed."""

    sent: list = field(default_factory=list)
    sessions: Sessions = field(init=False)

    def __post_init__(self):
        self.sessions = Sessions(self.catch)

    def catch(self, route, frames):
        envelope = decode(frames, sender="coordinator")
        self.sent.append((route, envelope.message, envelope.epoch))

    def say(self, route, message, *, epoch=0, at=0.0, payload=None):
        frames = encode(message, epoch=epoch, payload=payload)
        return self.welcomed(self.sessions.receive(route, frames, at))

    def tick(self, at):
        return self.welcomed(self.sessions.tick(at))

    def gone(self, route, at=0.0):
        return self.welcomed(self.sessions.unreachable(route, at))

    def welcomed(self, events):
        for event in events:
            if isinstance(event, Opened):
                self.sessions.welcome(event.session, WELCOME)
        return events

    def run(self, start, stop):
        """All events of ticking twice a second."""
        steps = range(int((stop - start) * 2) + 1)
        return [event for step in steps for event in self.tick(start + step / 2)]

    def drain(self):
        sent, self.sent = self.sent, []
        return sent

    def told(self, route):
        """What was sent to a route and not drained yet."""
        return [message for to, message, _ in self.sent if to == route]

    def pings(self, route):
        return [message.number for message in self.told(route) if isinstance(message, Ping)]


def opened(door, route=b"r1", message=None, at=0.0):
    [event] = door.say(route, message or hello(), at=at)
    assert isinstance(event, Opened)
    return event.session


def kinds(events):
    return [type(event) for event in events]


# ---- rules 1 to 3: what is heard at all ---------------------------------------------------------


def test_hello_opens_a_session_and_welcome_carries_its_epoch():
    door = Door()
    session = opened(door)
    assert (session.node, session.route) == ("alice", b"r1")
    assert door.sent == [(b"r1", WELCOME, session.epoch)]
    assert door.sessions.named("alice") is session
    assert list(door.sessions) == [session]


def test_epochs_only_grow_from_the_first_given():
    door = Door()
    door.sessions.next_epoch = (7 << 32) + 1
    epochs = [opened(door, b"%d" % i, hello(f"n{i}")).epoch for i in range(3)]
    assert epochs == [(7 << 32) + i for i in (1, 2, 3)]


def test_without_a_session_only_hello_is_heard():
    door = Door()
    assert door.say(b"r1", Pong(number=1), epoch=1) == []
    assert door.say(b"r1", Chunk(blob="b", offset=0), epoch=1, payload=b"x") == []
    assert door.sent == []


def test_a_message_of_an_open_session_is_heard_with_its_payload():
    door = Door()
    session = opened(door)
    chunk = Chunk(blob="b", offset=0)
    assert door.say(b"r1", chunk, epoch=session.epoch, payload=b"x", at=3.0) == [Heard(session, chunk, b"x")]
    assert session.last_heard == 3.0


@pytest.mark.parametrize("off", [-1, 1])
def test_a_message_of_another_epoch_changes_nothing(off):
    door = Door()
    session = opened(door)
    assert door.say(b"r1", Bye(), epoch=session.epoch + off, at=3.0) == []
    assert session.last_heard == 0.0


@pytest.mark.parametrize("frames", [[], [b""], [b"{}"], [b'{"kind":"BYE"}'], [b"\xff" * 10, b"", b""]])
def test_bytes_that_are_no_message_change_nothing_but_are_told(frames):
    door = Door()
    session = opened(door)
    [event] = door.sessions.receive(b"r1", frames, 3.0)
    assert isinstance(event, Malformed)
    assert event.node == "alice"
    assert session.last_heard == 0.0
    [event] = door.sessions.receive(b"stranger", frames, 3.0)
    assert event.node == ""
    assert len(door.sent) == 1


def test_another_protocol_is_turned_away_with_both_names():
    door = Door()
    other = [encode(hello(), epoch=0)[0].replace(b"zfed/1", b"zfed/9")]
    [turned] = door.sessions.receive(b"r1", other, 0.0)
    [refused] = door.told(b"r1")
    assert (turned.code, refused.code, refused.about) == ("protocol", "protocol", "hello")
    assert "'zfed/9'" in refused.reason
    assert "'zfed/1'" in refused.reason
    assert list(door.sessions) == []


def test_hello_that_comes_twice_is_welcomed_twice_within_one_session():
    door = Door()
    session = opened(door)
    assert door.say(b"r1", hello(), at=1.0) == []
    assert door.sent == [(b"r1", WELCOME, session.epoch)] * 2


def test_another_hello_on_the_route_of_a_session_changes_nothing():
    door = Door()
    session = opened(door)
    assert door.say(b"r1", hello("bob")) == []
    assert list(door.sessions) == [session]
    assert len(door.sent) == 1


def test_a_refused_session_is_over():
    door = Door()
    session = opened(door)
    door.drain()
    door.sessions.refuse(session, "layout", "it differs")
    assert door.sent == [(b"r1", Refused(about="hello", code="layout", reason="it differs"), 0)]
    assert door.say(b"r1", Bye(), epoch=session.epoch) == []
    assert door.sessions.named("alice") is None


def test_a_closed_session_does_not_close_the_one_that_took_its_name():
    door = Door()
    old = opened(door)
    door.say(b"r2", hello(), at=1.0)
    new = door.sessions.named("alice")
    door.sessions.close(old)
    assert door.sessions.named("alice") is new


# ---- rule 4: one name, one session ----------------------------------------------------------------


def test_the_same_instance_supersedes_its_own_session_at_once():
    door = Door()
    old = opened(door)
    lost, new = door.say(b"r2", hello(), at=1.0)
    assert lost == Lost(old, "it connected again")
    assert new.session.epoch > old.epoch
    assert door.say(b"r1", Bye(), epoch=old.epoch) == []
    assert door.say(b"r1", Bye(), epoch=new.session.epoch) == []


def challenged(at=0.0):
    door = Door()
    holder = opened(door)
    assert door.say(b"r2", hello(instance=2), at=at) == []
    return door, holder


def test_another_instance_is_refused_if_the_holder_answers_the_ping():
    door, holder = challenged()
    pong = Pong(number=holder.pinged)
    turned, heard = door.say(b"r1", pong, epoch=holder.epoch, at=1.0)
    assert (turned.node, turned.code) == ("alice", "name-taken")
    assert heard == Heard(holder, pong, None)
    [refused] = door.told(b"r2")
    assert (refused.about, refused.code) == ("hello", "name-taken")
    assert "'alice'" in refused.reason
    assert "--name" in refused.reason
    assert door.run(1.5, 9.0) == [Cut(b"r2")]
    assert door.sessions.named("alice") is holder


def test_another_instance_takes_the_name_if_the_holder_does_not_answer():
    door, holder = challenged()
    assert door.run(0.5, 2.5) == []
    lost, new = door.tick(3.0)
    assert lost == Lost(holder, "it stopped answering and was replaced")
    assert (new.session.route, new.session.hello.instance) == (b"r2", f"{2:032x}")
    assert door.told(b"r2") == [WELCOME]


def test_only_a_pong_to_the_new_ping_proves_that_the_holder_lives():
    door, holder = challenged(at=1.0)
    before = holder.pinged - 1
    assert kinds(door.say(b"r1", Pong(number=before), epoch=holder.epoch, at=1.5)) == [Heard]
    queued = Chunk(blob="b", offset=0)
    assert kinds(door.say(b"r1", queued, epoch=holder.epoch, payload=b"x", at=2.0)) == [Heard]
    assert kinds(door.run(2.5, 4.0)) == [Lost, Opened]


def test_the_challenger_gets_the_name_when_the_holders_connection_breaks():
    door, _ = challenged()
    assert kinds(door.gone(b"r1", at=0.1)) == [Lost, Opened]
    assert door.sessions.named("alice").route == b"r2"


def test_a_third_instance_is_refused_while_two_dispute_the_name():
    door, _ = challenged()
    [turned] = door.say(b"r3", hello(instance=3), at=0.5)
    assert turned.code == "name-taken"
    assert kinds(door.run(0.5, 3.0)) == [Cut, Lost, Opened]
    assert door.sessions.named("alice").route == b"r2"


def test_a_challenger_that_repeats_its_hello_goes_on_waiting():
    door, holder = challenged()
    assert door.say(b"r2", hello(instance=2), at=0.5) == []
    assert door.pings(b"r1") == [holder.pinged]


def test_a_challenger_that_connects_again_goes_on_waiting_on_its_new_route():
    """A node's first attempts are shorter than the probe: it must not be refused by its own shadow."""
    door, holder = challenged()
    assert door.say(b"r3", hello(instance=2), at=1.2) == []
    assert door.sent[-1][1] == Ping(number=holder.pinged)
    lost, new = door.run(1.5, 3.0)
    assert lost.session is holder
    assert new.session.route == b"r3"


def test_a_holder_that_connects_again_keeps_its_name_from_the_challenger():
    door, holder = challenged()
    events = door.say(b"r1b", hello(instance=1), at=1.0)
    assert kinds(events) == [Turned, Lost, Opened]
    assert events[1].session is holder
    assert [session.route for session in door.sessions] == [b"r1b"]
    assert kinds(door.sessions.receive(b"r2", encode(Bye(), epoch=events[2].session.epoch), 1.0)) == []


# ---- rule 5: silence --------------------------------------------------------------------------------


def test_a_session_is_pinged_every_2_seconds_with_growing_numbers():
    door = Door()
    session = opened(door)
    door.drain()
    for second in range(1, 9):
        door.tick(float(second))
        door.say(b"r1", Pong(number=session.pinged), epoch=session.epoch, at=float(second))
    assert door.pings(b"r1") == [1, 2, 3, 4]


def test_a_session_that_is_silent_for_10_seconds_is_lost():
    door = Door()
    session = opened(door)
    assert door.run(0.5, 10.0) == []
    assert door.tick(10.5) == [Lost(session, "no answer for 10 s")]
    assert list(door.sessions) == []


def test_any_message_breaks_the_silence():
    door = Door()
    session = opened(door)
    door.run(0.5, 9.0)
    door.say(b"r1", Chunk(blob="b", offset=0), epoch=session.epoch, payload=b"x", at=9.0)
    assert door.run(9.5, 19.0) == []


def test_nobody_is_lost_because_this_process_was_stopped():
    door = Door()
    session = opened(door)
    door.run(0.5, 5.0)
    assert door.tick(3600.0) == []
    assert door.run(3600.5, 3610.0) == []
    assert kinds(door.tick(3610.5)) == [Lost]
    assert session.last_heard == 3600.0


def test_no_challenge_is_decided_because_this_process_was_stopped():
    door, holder = challenged(at=0.0)
    door.tick(0.5)
    assert door.tick(4.5) == []
    assert kinds(door.say(b"r1", Pong(number=holder.pinged), epoch=holder.epoch, at=4.6)) == [Turned, Heard]


def test_next_wake_is_half_a_second_after_the_last_sweep():
    door = Door()
    door.tick(7.0)
    assert door.sessions.next_wake == 7.0 + Timing().sweep_s


# ---- whatever comes ---------------------------------------------------------------------------------


class AnyTraffic(RuleBasedStateMachine):
    """Nodes that greet, speak, fall silent and break off in any order."""

    def __init__(self):
        super().__init__()
        self.door = Door()
        self.now = 0.0
        self.open: dict[bytes, Session] = {}
        self.epochs: list[int] = []

    def take(self, events):
        for event in events:
            if isinstance(event, Opened):
                self.open[event.session.route] = event.session
                self.epochs.append(event.session.epoch)
            elif isinstance(event, Lost):
                assert self.open.pop(event.session.route) is event.session
            elif isinstance(event, Heard):
                assert self.open[event.session.route] is event.session

    routes = st.integers(0, 5).map(lambda number: b"r%d" % number)

    @rule(route=routes, name=st.sampled_from("ab"), instance=st.integers(1, 3))
    def greet(self, route, name, instance):
        self.take(self.door.say(route, hello(name, instance=instance), at=self.now))

    @rule(route=routes, epoch=st.integers(0, 8), number=st.integers(0, 20))
    def speak(self, route, epoch, number):
        self.take(self.door.say(route, Pong(number=number), epoch=epoch, at=self.now))

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def answer(self, data):
        session = data.draw(st.sampled_from(sorted(self.open.values(), key=lambda session: session.epoch)))
        message = Pong(number=session.pinged)
        self.take(self.door.say(session.route, message, epoch=session.epoch, at=self.now))

    @rule(route=routes)
    def break_off(self, route):
        self.take(self.door.gone(route, self.now))

    @rule(seconds=st.sampled_from([0.0, 0.5, 1.0, 4.0, 60.0]))
    def wait(self, seconds):
        self.now += seconds
        self.take(self.door.tick(self.now))

    @invariant()
    def every_name_has_at_most_one_session_and_it_is_the_one_told_of(self):
        by_name = {session.node: session for session in self.open.values()}
        assert len(by_name) == len(self.open)
        assert {session.node: session for session in self.door.sessions} == by_name

    @invariant()
    def epochs_grow(self):
        assert self.epochs == sorted(set(self.epochs))


AnyTraffic.TestCase.settings = settings(max_examples=40, stateful_step_count=30)
TestAnyTraffic = AnyTraffic.TestCase


# ---- limits --------------------------------------------------------------------------------------------


def limited(**limits):
    door = Door()
    door.sessions.guard = Guard(LimitsConfig(**limits))
    return door


def test_a_flooding_node_is_told_why_heard_no_more_and_then_cut_off():
    door = limited(messages=10)
    session = opened(door)
    events = []
    while not events or isinstance(events[0], Heard):
        events = door.say(b"r1", Pong(number=1), epoch=session.epoch)
    turned, lost = events
    assert (turned.code, lost.session) == ("limits", session)
    assert "--max-messages" in turned.reason
    assert isinstance(door.told(b"r1")[-1], Refused)
    assert door.say(b"r1", Bye(), epoch=session.epoch) == []
    assert door.run(0.0, 0.5) == [Cut(b"r1")]


def test_a_flood_gives_the_name_to_who_waits_for_it():
    door = limited(messages=10)
    session = opened(door)
    door.say(b"r2", hello(instance=2))
    events = [Heard(session, Pong(number=0), None)]
    while isinstance(events[0], Heard):
        events = door.say(b"r1", Pong(number=0), epoch=session.epoch)
    assert kinds(events) == [Turned, Lost, Opened]


def test_a_flood_before_any_hello_is_cut_off_as_well():
    door = limited(messages=10)
    while not (events := door.sessions.receive(b"r1", [b"garbage"], 0.0)) or isinstance(events[0], Malformed):
        pass
    assert kinds(events) == [Turned, Cut]
    assert not door.told(b"r1")
    assert door.sessions.receive(b"r1", [b"garbage"], 0.0) == []


def test_a_node_that_begins_too_many_sessions_is_cut_off_without_a_word_and_keeps_the_one_it_has():
    door = limited(sessions=2)
    opened(door, b"r1")
    opened(door, b"r2", hello("bob"))
    door.say(b"r3", hello())
    assert door.say(b"r4", hello()) == [Cut(b"r4")]
    assert not door.told(b"r4")
    assert door.sessions.named("alice").route == b"r3"
    assert isinstance(door.say(b"r5", hello(), at=31.0)[-1], Opened)


def test_a_refused_node_that_leaves_by_itself_is_not_cut_off():
    door = Door()
    session = opened(door)
    door.sessions.refuse(session, "layout", "another model")
    door.gone(b"r1")
    assert Cut(b"r1") not in door.run(0.0, 10.0)


def test_a_refused_node_that_stays_is_cut_off_after_a_while():
    door = Door()
    session = opened(door)
    door.sessions.refuse(session, "layout", "another model")
    assert door.run(0.0, LEAVE_S - 0.5) == []
    assert door.run(LEAVE_S, LEAVE_S + 1) == [Cut(b"r1")]


def test_dropped_messages_are_counted():
    door = Door()
    door.sessions.receive(b"r1", [b"garbage"], 0.0)
    door.sessions.receive(b"r1", [b"a", b"b", b"c"], 0.0)
    assert door.sessions.guard.counts == {"malformed": 1, "frames": 1}
