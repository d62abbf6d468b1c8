"""A node's side of its one session: HELLO, WELCOME, silence, and trying again.

    down --connect--> greeting --WELCOME--> open --silence, or the transport--> down
                         `--no WELCOME in time--> down

Every attempt is a new connection with a new HELLO: libzmq's own reconnect would deliver what was queued for
the old session under a new route with no HELLO before it.

Where the coordinator may listen at several addresses they are tried one at a time: a failed attempt is
followed by one at the next address, and a turn of the list by a pause. A session that was open is looked for
first where it was.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from zfed.errors import RemoteProtocolError
from zfed.wire.codec import Buffer, decode, encode
from zfed.wire.messages import AnyMessage, Enroll, Enrolled, Hello, Refused, Welcome

BACK_OFF_CAP_S = 5.0
"""The longest pause before jitter, and the longest that one turn of the list waits for answers."""
LEAST_CAP_S = 2.0
"""However long the list: a link that loses packets needs its second try, which TCP makes after a second."""
FIRST_GREETING_S = 1.0
FIRST_PAUSE_S = 0.25
SHORT_PAUSE_S = 0.2
"""After a session that was open: its coordinator has just been there."""


@dataclass(frozen=True)
class Welcomed:
    """The session is open."""

    welcome: Welcome


@dataclass(frozen=True)
class EnrolledHere:
    """ENROLL, sent instead of HELLO, is done. There is no session, and there will be none."""

    enrolled: Enrolled


@dataclass(frozen=True)
class Turned:
    """The coordinator refuses this node; it should end with this reason."""

    code: str
    reason: str


@dataclass(frozen=True)
class Heard:
    """A message of the open session."""

    message: AnyMessage
    payload: Buffer | None


@dataclass(frozen=True)
class Down:
    """The connection must be closed; try again at `retry_at`."""

    reason: str
    retry_at: float


@dataclass(frozen=True)
class Malformed:
    """The coordinator sent bytes that zfed/1 does not allow; they change nothing."""

    reason: str


LinkEvent: TypeAlias = Welcomed | EnrolledHere | Turned | Heard | Down | Malformed


@dataclass
class Link:
    """One node's session with its coordinator.

    Args:
        send_frames: Where frames go.
        jitter: Returns a factor of 0.5 to 1.5 for back-off times, so that a thousand nodes that lost one
            coordinator do not come back in the same instant.
        addresses: Where the coordinator may listen, at least one.
    """

    send_frames: Callable[[list[Buffer]], None]
    jitter: Callable[[], float]
    addresses: Sequence[str]
    state: Literal["down", "greeting", "open"] = "down"
    epoch: int = 0
    lost_s: float = 10.0
    attempts: int = 0
    _place: int = 0
    _deadline: float = field(default=0.0)

    @property
    def address(self) -> str:
        """Where the session is, or the next attempt goes."""
        return self.addresses[self._place]

    @property
    def next_wake(self) -> float | None:
        """When `tick` has something to do, if nothing comes before."""
        return None if self.state == "down" else self._deadline

    def greet(self, first: Hello | Enroll, now: float) -> None:
        """A new connection to `address` was opened: send this on it and wait for WELCOME, or ENROLLED."""
        self.state = "greeting"
        self.epoch = 0
        patience = _backed_off(FIRST_GREETING_S, self.attempts // len(self.addresses))
        self._deadline = now + min(patience, max(BACK_OFF_CAP_S / len(self.addresses), LEAST_CAP_S))
        self.attempts += 1
        self.send_frames(encode(first, epoch=0))

    def send(self, message: AnyMessage, payload: Buffer | None = None) -> None:
        """Send within the open session; without one the message is dropped, as the network might do."""
        if self.state == "open":
            self.send_frames(encode(message, epoch=self.epoch, payload=payload))

    def receive(self, frames: Sequence[Buffer], now: float) -> list[LinkEvent]:
        """Apply the rules to one arrived message."""
        try:
            envelope = decode(frames, sender="coordinator")
        except RemoteProtocolError as error:
            return [Malformed(str(error))]
        message = envelope.message
        if isinstance(message, Refused) and message.about == "hello" and self.state != "down":
            return [Turned(message.code, message.reason)]
        if self.state == "greeting":
            if isinstance(message, Enrolled):
                return [EnrolledHere(message)]
            return self._welcome(message, envelope.epoch, now) if isinstance(message, Welcome) else []
        if self.state == "down" or envelope.epoch != self.epoch or isinstance(message, Welcome):
            return []
        self._deadline = now + self.lost_s
        return [Heard(message, envelope.payload)]

    def tick(self, now: float) -> list[LinkEvent]:
        """Notice that nothing has come for too long."""
        if self.state == "down" or now < self._deadline:
            return []
        reason = "no answer" if self.state == "greeting" else f"silent for {self.lost_s:g} s"
        return [self.lose(reason, now)]

    def lose(self, reason: str, now: float) -> Down:
        """Give this connection up."""
        was_open = self.state == "open"
        self.state = "down"
        if not was_open:
            self._place = (self._place + 1) % len(self.addresses)
        return Down(reason, now + self._pause(was_open) * self.jitter())

    def _pause(self, was_open: bool) -> float:
        if was_open:
            return SHORT_PAUSE_S
        turns, rest = divmod(self.attempts, len(self.addresses))
        return 0.0 if rest else _backed_off(FIRST_PAUSE_S, turns - 1)

    def _welcome(self, welcome: Welcome, epoch: int, now: float) -> list[LinkEvent]:
        self.state = "open"
        self.epoch = epoch
        self.lost_s = welcome.lost_s
        self.attempts = 0
        self._deadline = now + self.lost_s
        return [Welcomed(welcome)]


def _backed_off(first_s: float, times: int) -> float:
    return min(first_s * 2.0 ** min(times, 16), BACK_OFF_CAP_S)  # 2.0**1024 is an OverflowError
