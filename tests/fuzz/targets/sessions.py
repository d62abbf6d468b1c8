"""`zfed.wire.session.Sessions`: what the coordinator's side makes of messages on several routes."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from tests.fuzz.script import Came, Gone, Passed, Revoked, steps
from tests.fuzz.target import Target
from tests.zfed.wire.strategies import hello
from zfed.wire.codec import Buffer, decode, encode
from zfed.wire.messages import PROTOCOL, AnyMessage, Bye, Chunk, Enroll, Pong, Pull, Welcome
from zfed.wire.messages import Enrolled as EnrolledAnswer
from zfed.wire.roster import Enrolled, Invited, Roster
from zfed.wire.session import Sessions
from zfed.wire.session_words import EnrolmentAsked, Opened, SessionEvent

KEYS: Final = {
    "a": Enrolled(node="alice", key="a"),
    "b": Enrolled(node="alice", key="b"),
    "c": Enrolled(node="bob", key="c"),
    "d": Enrolled(node="dora", key="d", objection="it was revoked"),
    "e": Invited(node="eve", key="e"),
}
"""Of the routes of these names; those of all others are unknown."""


def read(script: bytes) -> None:
    """Play a script without keys, and with them; everybody who may come in is let in."""
    _play(script, None)
    _play(script, dict(KEYS))


def _play(script: bytes, keys: dict[str, Enrolled | Invited] | None) -> None:
    now, sent = 0.0, 0

    def send(route: bytes, frames: list[Buffer]) -> None:
        nonlocal sent
        sent += 1
        decode(frames, sender="coordinator")

    sessions = Sessions(send, roster=None if keys is None else Roster(keys.values()))
    for step in steps(script):
        events: list[SessionEvent] = []
        before = sent
        match step:
            case Passed(seconds):
                now += seconds
                events = sessions.tick(now)
            case Gone(route):
                events = sessions.unreachable(route, now)
            case Revoked(route):
                key = route.decode("latin-1")
                if keys is not None and key in keys:
                    keys[key] = replace(keys[key], objection="it was revoked")
                    events = sessions.enrol(Roster(keys.values()), now)
            case Came(route, frames):
                events = sessions.receive(route, frames, now, route.decode("latin-1"))
                assert sent - before <= 1, "a message draws one answer at most"
        for event in events:
            if isinstance(event, Opened):
                sessions.welcome(event.session, Welcome(run="run", ping_s=2, lost_s=10, protected=False))
            elif isinstance(event, EnrolmentAsked):
                assert event.invitation == "e", "only the key of an invitation asks for an enrolment"
                sessions.enrolled(event.route, EnrolledAnswer(node=event.enroll.node, coordinator="key"))
        _check(sessions, keys)


def _check(sessions: Sessions, keys: dict[str, Enrolled | Invited] | None) -> None:
    here = list(sessions)
    assert all(sessions.named(session.node) is session for session in here)
    assert len({session.route for session in here}) == len(here), "a connection has one session"
    for session in here if keys is not None else []:
        known = keys[session.route.decode("latin-1")]
        assert isinstance(known, Enrolled)
        assert not known.objection, "whose key is not valid has no session"
        assert known.node == session.node, "a name belongs to its keys"


def seeds() -> list[bytes]:
    """Sessions that begin, go on, are disputed, refused and enrolled."""

    def line(route: str, message: AnyMessage, epoch: int = 0, payload: bytes | None = None) -> bytes:
        return route.encode() + b"\x1e".join(encode(message, epoch=epoch, payload=payload))

    alice, other = line("a", hello("alice")), line("b", hello("alice", instance=2))
    pong, pull = line("a", Pong(number=1), 1), line("a", Pull(blob="model:0", offset=0, bytes=10), 1)
    return [
        b"\n".join([alice, b"+2.5", pong, pull, line("a", Bye(), 1)]),
        b"\n".join([alice, other, b"+1", pong, b"+20"]),
        b"\n".join([alice, other, b"+4", line("b", Pong(number=1), 2)]),
        b"\n".join(
            [alice, line("c", hello("alice")), b"!c", line("a", Chunk(blob="layout", offset=0), 1, b"x")]
        ),
        b"\n".join([alice, b"-a", pong, line("d", hello("dora")), line("f", hello("frank"))]),
        line("e", Enroll(protocol=PROTOCOL, node="eve", key="zfed-key-...")),
        b'a{"kind":"HELLO","protocol":"zfed/0"}',
    ]


TARGET = Target("sessions", read, (), seeds)
