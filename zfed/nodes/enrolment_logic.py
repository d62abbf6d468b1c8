"""A device that enrols itself with an invitation, without its socket, files and clock."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from zfed.facts import Disconnected
from zfed.nodes.member_words import Connect, Disconnect
from zfed.nodes.rejection import Rejection
from zfed.nodes.search import Search
from zfed.nodes.words import Finish, FramesArrived, RouteGone, SendFrames, StopRequested, TellFact, TimePassed
from zfed.wire.codec import Buffer
from zfed.wire.link import Down, EnrolledHere, Link, LinkEvent, Malformed, Turned
from zfed.wire.messages import Enroll, Enrolled

EnrolmentInput: TypeAlias = FramesArrived | RouteGone | StopRequested | TimePassed
EnrolmentEffect: TypeAlias = SendFrames | TellFact | Connect | Disconnect | Finish


@dataclass
class EnrolmentLogic:
    """Sends ENROLL until it is answered. Pure: `handle(input, now) -> effects`.

    An answer that is lost is no harm: the same key asks again, and is told again that it is enrolled.

    Args:
        enroll: What is asked for.
        addresses: Where the coordinator may listen, at least one.
        connect_timeout_s: How long to go on trying.
        jitter: Factor of 0.5 to 1.5 for back-off times.

    Attributes:
        enrolled: The coordinator's answer, once it is finished with the status "completed".
        refusal_code: Why it was refused, if it was, as in docs/wire.md.
    """

    enroll: Enroll
    addresses: Sequence[str]
    connect_timeout_s: float = math.inf
    jitter: Callable[[], float] = lambda: 1.0
    enrolled: Enrolled | None = None
    refusal_code: str = ""

    def __post_init__(self) -> None:
        self._effects: list[EnrolmentEffect] = []
        self._link = Link(self._send_frames, self.jitter, self.addresses)
        self._search = Search(self.addresses, self.connect_timeout_s, 0.0)
        self._rejection = Rejection(self.enroll.node, self.enroll.key)
        self._retry_at = math.inf
        self._finished = False

    @property
    def address(self) -> str:
        """Where the coordinator is, or is looked for."""
        return self._link.address

    @property
    def next_wake(self) -> float | None:
        """When `TimePassed` has something to do."""
        if self._finished:
            return None
        link = self._link.next_wake
        return min(self._search.next_wake, self._retry_at, math.inf if link is None else link)

    def start(self, now: float) -> list[EnrolmentEffect]:
        """Connect for the first time."""
        self._search = Search(self.addresses, self.connect_timeout_s, now)
        self._connect(now)
        return self._drained()

    def handle(self, event: EnrolmentInput, now: float) -> list[EnrolmentEffect]:
        """Take an input; return what is to be done, in this order."""
        if self._finished:
            return []
        match event:
            case FramesArrived():
                self._link_events(self._link.receive(event.frames, now))
            case RouteGone() if self._link.state != "down":
                self._route_gone(event, now)
            case TimePassed():
                self._time_passed(now)
            case StopRequested():
                self._finish("stopped", event.reason)
        return self._drained()

    def _time_passed(self, now: float) -> None:
        self._link_events(self._link.tick(now))
        if failure := self._search.failure(now):
            self._finish("failed", failure)
            return
        if now >= self._retry_at:
            self._connect(now)
        if notice := self._search.notice(self._link.address, now):
            self._effects.append(TellFact(notice))

    def _route_gone(self, gone: RouteGone, now: float) -> None:
        if gone.refusal == "not-enrolled":
            reason = f"the coordinator at {self.address} does not know this invitation (any more)"
            self._refused("key", f"{reason}: ask for another, `zfed invite {self.enroll.node}`")
        elif gone.refusal == "handshake" and self._rejection.handshake_failed(self.address, now):
            reason = f"the coordinator at {self.address} is not the one that this invitation is from"
            self._refused(
                "key",
                f"{reason}: the handshake fails without a word (as it would if it runs with --insecure)",
            )
        else:
            self._link_events([self._link.lose("the connection broke", now)])

    def _connect(self, now: float) -> None:
        self._retry_at = math.inf
        self._effects.append(Connect(self._link.address))
        self._link.greet(self.enroll, now)

    def _link_events(self, events: list[LinkEvent]) -> None:
        for event in events:
            match event:
                case EnrolledHere(enrolled):
                    self.enrolled = enrolled
                    self._finish("completed", "")
                case Turned(code, reason):
                    self._refused(code, f"refused by the coordinator: {reason}")
                case Down(_, retry_at):
                    self._effects.append(Disconnect())
                    self._retry_at = retry_at
                case Malformed(reason):
                    dropped = Disconnected(reason=f"a message of the coordinator was dropped: {reason}")
                    self._effects.append(TellFact(dropped))

    def _refused(self, code: str, reason: str) -> None:
        self.refusal_code = code
        self._finish("failed", reason)

    def _finish(self, status: Literal["completed", "stopped", "failed"], reason: str) -> None:
        self._finished = True
        self._effects.append(Finish(status, reason))

    def _send_frames(self, frames: list[Buffer]) -> None:
        self._effects.append(SendFrames(b"", frames))

    def _drained(self) -> list[EnrolmentEffect]:
        effects, self._effects = self._effects, []
        return effects
