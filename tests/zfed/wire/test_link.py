from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.zfed.wire.strategies import hello
from zfed.wire.codec import decode, encode
from zfed.wire.link import BACK_OFF_CAP_S, Down, EnrolledHere, Heard, Link, Malformed, Turned, Welcomed
from zfed.wire.messages import Bye, Chunk, Enroll, Enrolled, Ping, Pong, Refused, Welcome

WELCOME = Welcome(run="r", ping_s=2.0, lost_s=10.0, protected=False)


@dataclass
class Wire:
    """A link whose frames are caught and read back."""

    addresses: tuple = ("here",)
    sent: list = field(default_factory=list)
    link: Link = field(init=False)

    def __post_init__(self):
        self.link = Link(self.catch, jitter=lambda: 1.0, addresses=self.addresses)

    def catch(self, frames):
        envelope = decode(frames, sender="node")
        self.sent.append((envelope.message, envelope.epoch))

    def hear(self, message, *, epoch, at=0.0, payload=None):
        return self.link.receive(encode(message, epoch=epoch, payload=payload), at)


def greeted(at=0.0):
    wire = Wire()
    wire.link.greet(hello(), at)
    return wire


def opened(epoch=7, at=0.0):
    wire = greeted(at)
    assert wire.hear(WELCOME, epoch=epoch, at=at) == [Welcomed(WELCOME)]
    return wire


def test_hello_is_the_first_message_and_has_no_epoch():
    assert greeted().sent == [(hello(), 0)]


def test_welcome_opens_the_session_whose_epoch_every_later_message_carries():
    wire = opened(epoch=7)
    wire.link.send(Pong(number=1))
    assert wire.sent[1:] == [(Pong(number=1), 7)]


@pytest.mark.parametrize("make", [Wire, greeted])
def test_nothing_but_hello_is_sent_without_a_session(make):
    wire = make()
    before = list(wire.sent)
    wire.link.send(Bye())
    assert wire.sent == before


def test_nothing_is_heard_before_welcome():
    wire = greeted()
    assert wire.hear(Ping(number=1), epoch=7) == []
    assert wire.link.state == "greeting"


def test_enrolled_answers_enroll_and_opens_no_session():
    wire = Wire()
    enroll = Enroll(protocol="zfed/1", node="alice", key="zfed-key-x")
    wire.link.greet(enroll, 0.0)
    enrolled = Enrolled(node="alice", coordinator="zfed-key-y")
    assert wire.hear(enrolled, epoch=0) == [EnrolledHere(enrolled)]
    assert (wire.sent, wire.link.state) == ([(enroll, 0)], "greeting")


def test_a_message_of_the_session_is_heard_with_its_payload():
    chunk = Chunk(blob="b", offset=0)
    assert opened().hear(chunk, epoch=7, payload=b"x") == [Heard(chunk, b"x")]


def test_a_message_of_another_epoch_changes_nothing():
    wire = opened(epoch=7)
    assert wire.hear(Ping(number=1), epoch=6, at=9.0) == []
    assert wire.link.next_wake == 10.0


def test_a_second_welcome_changes_nothing():
    wire = opened(epoch=7)
    assert wire.hear(WELCOME, epoch=8) == []
    assert wire.link.epoch == 7


def test_bytes_that_are_no_message_change_nothing_but_are_told():
    wire = opened()
    [event] = wire.link.receive([b"{"], 9.0)
    assert isinstance(event, Malformed)
    assert wire.link.next_wake == 10.0


@pytest.mark.parametrize("make", [greeted, opened])
def test_a_refused_hello_ends_the_node_also_within_a_session(make):
    refused = Refused(about="hello", code="name-taken", reason="another")
    assert make().hear(refused, epoch=0) == [Turned("name-taken", "another")]


def test_a_refused_update_is_a_message_like_any_other():
    refused = Refused(about="update", code="stale", reason="too late", assignment=(1, 1))
    assert opened(epoch=7).hear(refused, epoch=7) == [Heard(refused, None)]


def test_silence_of_the_time_that_welcome_names_takes_the_link_down():
    wire = opened()
    assert wire.link.tick(9.9) == []
    assert wire.link.tick(10.0) == [Down("silent for 10 s", 10.2)]
    assert wire.link.state == "down"
    assert wire.link.next_wake is None


def test_any_message_breaks_the_silence():
    wire = opened()
    wire.hear(Ping(number=1), epoch=7, at=9.0)
    assert wire.link.tick(18.9) == []
    assert wire.link.tick(19.0) != []


def test_what_still_comes_when_the_link_is_down_changes_nothing():
    wire = opened()
    wire.link.lose("gone", 1.0)
    assert wire.hear(Ping(number=1), epoch=7) == []
    assert wire.hear(Refused(about="hello", code="ended", reason=""), epoch=0) == []
    assert wire.hear(WELCOME, epoch=8) == []
    assert wire.link.state == "down"


def attempts(wire, number, at=0.0):
    """(seconds waited for an answer, seconds of pause) of so many attempts in a row."""
    seen = []
    for _ in range(number):
        wire.link.greet(hello(), at)
        [down] = wire.link.tick(wire.link.next_wake)
        patience = wire.link._deadline - at
        seen.append((patience, down.retry_at - wire.link._deadline))
        at = down.retry_at
    return seen


def test_attempts_back_off_to_5_seconds():
    waited, paused = zip(*attempts(Wire(), 7), strict=True)
    assert waited == pytest.approx((1.0, 2.0, 4.0, 5.0, 5.0, 5.0, 5.0))
    assert paused == pytest.approx((0.25, 0.5, 1.0, 2.0, 4.0, 5.0, 5.0))


def test_a_node_goes_on_trying_for_days():
    assert attempts(Wire(), 20_000)[-1] == pytest.approx((BACK_OFF_CAP_S, BACK_OFF_CAP_S))


def test_back_off_starts_again_once_a_coordinator_has_answered():
    wire = Wire()
    attempts(wire, 5)
    wire.link.greet(hello(), 100.0)
    wire.hear(WELCOME, epoch=9, at=101.0)
    assert wire.link.lose("gone", 102.0) == Down("gone", 102.2)
    assert attempts(wire, 1, at=103.0)[0] == pytest.approx((1.0, 0.25))


@given(st.floats(0.5, 1.5), st.integers(0, 12))
def test_jitter_spreads_every_pause(factor, tries):
    wire = Wire()
    wire.link.jitter = lambda: factor
    attempts(wire, tries)
    wire.link.greet(hello(), 1000.0)
    plain = min(0.25 * 2**tries, BACK_OFF_CAP_S)
    assert wire.link.lose("gone", 1000.0).retry_at == pytest.approx(1000.0 + plain * factor)


coordinator_says = st.sampled_from(
    [
        WELCOME,
        Ping(number=1),
        Refused(about="hello", code="ended", reason=""),
        Refused(about="blob", code="gone", reason=""),
    ]
)
steps = st.one_of(
    st.tuples(st.just("hear"), coordinator_says, st.integers(0, 3)),
    st.tuples(st.just("tick"), st.sampled_from([0.0, 0.5, 5.0, 11.0])),
    st.tuples(st.sampled_from(["greet", "lose"])),
)


@settings(max_examples=200)
@given(st.lists(steps, max_size=30))
def test_whatever_comes_messages_are_heard_only_in_the_session_they_belong_to(script):
    wire, now = Wire(), 0.0
    for step in script:
        events = []
        match step:
            case ("hear", message, epoch):
                events = wire.hear(message, epoch=epoch, at=now)
                if any(isinstance(event, Heard) for event in events):
                    assert (wire.link.state, wire.link.epoch) == ("open", epoch)
            case ("tick", seconds):
                now += seconds
                events = wire.link.tick(now)
                assert wire.link.next_wake is None or wire.link.next_wake > now
            case ("greet",) if wire.link.state == "down":
                wire.link.greet(hello(), now)
            case ("lose",):
                events = [wire.link.lose("gone", now)]
        if any(isinstance(event, Down) for event in events):
            assert wire.link.state == "down"


@settings(deadline=None)
@given(
    places=st.integers(2, 3),
    alive=st.integers(0, 2),
    comes_at=st.floats(0, 100),
    start=st.integers(0, 2),
    silent=st.booleans(),
)
def test_coordinator_on_one_of_three_addresses_is_found_within_15_s(places, alive, comes_at, start, silent):
    """Whichever it is and whenever it comes, and whether the others are silent or refuse at once."""
    addresses = tuple("abc"[:places])
    wire = Wire(addresses)
    wire.link.jitter = lambda: 1.5
    wire.link._place = start % places
    now = 0.0
    while wire.link.address != addresses[alive % places] or now < comes_at:
        wire.link.greet(hello(), now)
        if silent:
            now = wire.link.next_wake
            [down] = wire.link.tick(now)
        else:
            down = wire.link.lose("refused", now)
        now = down.retry_at
    assert now - comes_at < 15


def test_turn_of_the_list_has_one_pause_at_its_end():
    wire = Wire(("a", "b", "c"))
    assert [pause for _, pause in attempts(wire, 7)] == [0, 0, 0.25, 0, 0, 0.5, 0]
