"""What the key of an invitation lets in."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.zfed.wire.strategies import hello, messages
from zfed.wire.codec import decode, encode
from zfed.wire.messages import FROM_NODE, Chunk, Enroll, Enrolled, Hello, Refused
from zfed.wire.roster import Invited, Roster
from zfed.wire.session import Sessions
from zfed.wire.session_words import Cut, EnrolmentAsked, Malformed, Turned

KEY = "k" * 43
ENROLL = Enroll(protocol="zfed/1", node="alice", key="zfed-key-x")
OTHERS = [record for record in FROM_NODE.values() if record is not Enroll]


class Door:
    """Sessions that know one invitation, and what they sent."""

    def __init__(self, **options):
        self.sent = []
        roster = Roster([Invited(node="alice", key=KEY, **options)])
        self.sessions = Sessions(self.catch, roster=roster)

    def catch(self, route, frames):
        envelope = decode(frames, sender="coordinator")
        assert envelope.epoch == 0
        self.sent.append((route, envelope.message))

    def say(self, message, *, route=b"r", key=KEY, payload=None):
        return self.sessions.receive(route, encode(message, epoch=0, payload=payload), 0.0, key)


def test_enroll_is_heard_and_answered_when_it_is_done():
    door = Door()
    assert door.say(ENROLL) == [EnrolmentAsked(b"r", KEY, ENROLL)]
    assert door.sent == []
    door.sessions.enrolled(b"r", Enrolled(node="alice", coordinator="zfed-key-c"))
    assert door.sent == [(b"r", Enrolled(node="alice", coordinator="zfed-key-c"))]
    assert list(door.sessions) == []
    assert door.say(ENROLL) == []


def test_whoever_asks_without_end_is_cut_off():
    door = Door()
    heard = [type(event) for _ in range(1000) for event in door.say(ENROLL)]
    assert heard[0] is EnrolmentAsked
    assert heard[-1] is Cut


def test_a_device_that_is_not_enrolled_is_told_why_and_not_heard_again():
    door = Door()
    assert door.sessions.not_enrolled(b"r", "alice", "used") == Turned("alice", "invitation", "used")
    assert door.sent == [(b"r", Refused(about="hello", code="invitation", reason="used"))]
    assert door.say(ENROLL) == []


@pytest.mark.parametrize("record", OTHERS, ids=lambda record: record.__name__)
@given(data=st.data())
def test_the_key_of_an_invitation_lets_nothing_else_in(record, data):
    message = data.draw(messages(record))
    if isinstance(message, Hello):
        message = msgspec.structs.replace(message, protocol="zfed/1")
    door = Door()
    [turned] = door.say(message, payload=b"x" if record is Chunk else None)
    assert (turned.node, turned.code) == ("alice", "key")
    assert "an invitation's key is for enrolling 'alice', nothing else" in turned.reason
    assert door.sent == [(b"r", Refused(about="hello", code="key", reason=turned.reason))]
    assert list(door.sessions) == []
    assert door.say(ENROLL) == []


def test_a_hello_of_the_invited_name_opens_no_session():
    door = Door()
    door.say(hello("alice"))
    assert door.sessions.named("alice") is None


def test_enroll_with_the_key_of_a_node_or_of_nobody_enrols_nobody():
    door = Door()
    assert [type(event) for event in door.say(ENROLL, key="x" * 43)] == [Turned]


def test_bytes_that_are_no_message_change_nothing_but_are_told():
    door = Door()
    [event] = door.sessions.receive(b"r", [b"{"], 0.0, KEY)
    assert (type(event), event.node) == (Malformed, "alice")
    assert door.say(ENROLL) == [EnrolmentAsked(b"r", KEY, ENROLL)]


def test_a_device_of_another_protocol_is_told_so():
    door = Door()
    [turned] = door.say(msgspec.structs.replace(ENROLL, protocol="zfed/9"))
    assert turned.code == "protocol"


def test_an_invitation_with_an_objection_is_told_that():
    door = Door(objection="the invitation was revoked")
    assert door.say(ENROLL) == [Turned("alice", "key", "the invitation was revoked")]
