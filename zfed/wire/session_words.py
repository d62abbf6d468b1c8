"""What `zfed.wire.session` speaks of: a session, who wants its name, and what may happen to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import msgspec

from zfed.wire.codec import Buffer
from zfed.wire.messages import AnyMessage, Enroll, Hello, Welcome
from zfed.wire.roster import Enrolled, KeyId


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Seconds of the session rules; the defaults are those of docs/wire.md."""

    ping_s: float = 2.0
    lost_s: float = 10.0
    probe_s: float = 3.0
    settle_s: float = 0.5
    sweep_s: float = 0.5


@dataclass(eq=False)
class Session:
    """One admitted connection of one node. `pinged` is the number of the last PING sent.

    `enrolled` is what is known of its key; None where keys are not asked for.
    """

    route: bytes
    epoch: int
    hello: Hello
    last_heard: float
    last_ping: float
    pinged: int = 0
    welcome: Welcome | None = None
    challenger: Challenger | None = None
    enrolled: Enrolled | None = None

    @property
    def node(self) -> str:
        """The node's name."""
        return self.hello.node


@dataclass(eq=False)
class Challenger:
    """A HELLO for a name that is in use, until the holder has answered PING `number` or not.

    With `enrolled` the holder's answer does not matter, but whether the challenger is still there.
    """

    route: bytes
    hello: Hello
    number: int
    deadline: float
    enrolled: Enrolled | None = None


@dataclass(frozen=True)
class Opened:
    """A HELLO got its name; answer with `Sessions.welcome` or `Sessions.refuse`."""

    session: Session


class Heard(msgspec.Struct, frozen=True):
    """A message of an open session."""

    session: Session
    message: AnyMessage
    payload: Buffer | None


@dataclass(frozen=True)
class Lost:
    """A session is over without BYE; `shut_out`: its node may not come back."""

    session: Session
    reason: str
    shut_out: bool = False


@dataclass(frozen=True)
class Turned:
    """A HELLO was refused here, before it got a session."""

    node: str
    code: str
    reason: str


@dataclass(frozen=True)
class Malformed:
    """Bytes that zfed/1 does not allow; `node` is empty if they came from no session."""

    node: str
    reason: str


@dataclass(frozen=True)
class EnrolmentAsked:
    """Who proved the one-time key `invitation` asks to be enrolled.

    Answer with `Sessions.enrolled` or `Sessions.not_enrolled`.
    """

    route: bytes
    invitation: KeyId
    enroll: Enroll


@dataclass(frozen=True)
class Cut:
    """The connection behind this route is to be ended."""

    route: bytes


SessionEvent: TypeAlias = Opened | Heard | Lost | Turned | Malformed | EnrolmentAsked | Cut
