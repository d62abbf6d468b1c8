"""`zfed.wire.link.Link`: what a node makes of messages of whoever says it is the coordinator."""

from __future__ import annotations

from tests.fuzz.script import Came, Gone, Passed, steps
from tests.fuzz.target import Target
from tests.zfed.wire.strategies import hello
from zfed.wire.codec import Buffer, decode, encode
from zfed.wire.link import Down, Link, LinkEvent
from zfed.wire.messages import Accepted, AnyMessage, Chunk, Ended, Ping, Refused, Welcome


def read(script: bytes) -> None:
    """Play a script; whenever the link goes down it is opened again when it wants to be."""
    now = 0.0

    def send(frames: list[Buffer]) -> None:
        decode(frames, sender="node")

    link = Link(send, lambda: 1.0, ("here", "there"))
    link.greet(hello(), now)
    for step in steps(script):
        events: list[LinkEvent] = []
        match step:
            case Passed(seconds):
                now += seconds
                events = link.tick(now)
            case Gone():
                events = [] if link.state == "down" else [link.lose("gone", now)]
            case Came(_, frames):
                events = link.receive(frames, now)
                assert len(events) <= 1
        for event in events:
            if isinstance(event, Down):
                now = max(now, event.retry_at)
                link.greet(hello(), now)
        assert link.next_wake is not None, "no wait is for ever"
        assert link.next_wake < now + 2e9, "nor for longer than a message may ask for"


def seeds() -> list[bytes]:
    """A session that is opened and used, one that is refused, one that is lost."""

    def line(message: AnyMessage, epoch: int = 7, payload: bytes | None = None) -> bytes:
        return b"a" + b"\x1e".join(encode(message, epoch=epoch, payload=payload))

    welcome = line(Welcome(run="run", ping_s=2, lost_s=10, protected=False))
    ended = Ended(status="completed", reason="all rounds", rounds_done=1, rounds=1, version=1)
    return [
        b"\n".join([welcome, line(Ping(number=1)), line(Accepted(assignment=(1, 1))), line(ended)]),
        line(Refused(about="hello", code="layout", reason="no"), 0),
        b"\n".join([welcome, b"+11", b"+1", welcome, b"!a", line(Chunk(blob="m", offset=0), 7, b"x")]),
    ]


TARGET = Target("link", read, (), seeds)
