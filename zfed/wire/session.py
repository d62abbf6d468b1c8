"""The coordinator's side of sessions: who is who, and who is still there.

Rules, in the order in which they are applied to what arrives on a route:

0. Who was refused is told so once, nothing more is heard of that route, and after a while its connection is
   ended. What goes beyond a limit is dropped, and who floods is refused. Where keys are asked for, a
   message is said by who proved the key that it carries: a key that is not valid (any more) is refused, a
   route belongs to one key, and a name to the keys that were enrolled for it. The key of an invitation
   lets ENROLL in and nothing else; it never has a session.
1. Bytes that are no zfed/1 message change nothing.
2. Without a session, only HELLO is heard; everything else is dropped.
3. A message whose epoch is not the session's belongs to an earlier session of that route: dropped.
4. One name has one session. The same instance of a node supersedes its own old session at once. With keys
   another instance is the same node, started twice, and supersedes it too, once its connection has lasted for
   `settle_s`: a HELLO of a process that is dead by now may still lie in a queue, and whoever answers that
   learns that nobody is there. Without keys another instance may be anybody, and waits while the old one is
   asked by PING: if that answers, the newcomer is refused; if not within `probe_s`, the newcomer takes the
   name. Only a PONG to that PING counts: older messages of a dead process may still lie in a queue.
5. A session that is silent for `lost_s` is lost. If this process itself was stopped for a while (no tick for
   longer than `ping_s`), nobody is, and probes start anew: the answers may lie in the queue.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from zfed.errors import RemoteProtocolError
from zfed.wire.codec import Buffer, OtherProtocolError, decode, encode
from zfed.wire.dismissals import Dismissals
from zfed.wire.guard import Breach, Guard
from zfed.wire.messages import AnyMessage, Enroll, Hello, Ping, Pong, Refused, Welcome
from zfed.wire.messages import Enrolled as EnrolledAnswer
from zfed.wire.roster import Enrolled, Invited, KeyId, Roster
from zfed.wire.session_words import (
    Challenger,
    Cut,
    EnrolmentAsked,
    Heard,
    Lost,
    Malformed,
    Opened,
    Session,
    SessionEvent,
    Timing,
    Turned,
)

SendFrames: TypeAlias = Callable[[bytes, list[Buffer]], None]


@dataclass
class Sessions:
    """All sessions of a coordinator, by route and by node name. Pure: time comes in, frames go to `send`.

    Args:
        roster: Whose keys are known; None: keys are not asked for.
        guard: Holds senders to the limits.
    """

    send_frames: SendFrames
    timing: Timing = field(default_factory=Timing)
    next_epoch: int = 1
    roster: Roster | None = None
    guard: Guard = field(default_factory=Guard)
    _dismissed: Dismissals = field(default_factory=Dismissals)
    _by_route: dict[bytes, Session] = field(default_factory=dict)
    _by_name: dict[str, Session] = field(default_factory=dict)
    _next_sweep: float = 0.0
    _last_tick: float | None = None

    def __iter__(self) -> Iterator[Session]:
        return iter(list(self._by_name.values()))

    def named(self, node: str) -> Session | None:
        """The session of this node, if it has one."""
        return self._by_name.get(node)

    @property
    def next_wake(self) -> float:
        """When `tick` has something to do."""
        return self._next_sweep

    def send(self, session: Session, message: AnyMessage, payload: Buffer | None = None) -> None:
        """Send a message to an open session."""
        self.send_frames(session.route, encode(message, epoch=session.epoch, payload=payload))

    def welcome(self, session: Session, welcome: Welcome) -> None:
        """Admit: the node may now send anything but HELLO."""
        session.welcome = welcome
        self.send(session, welcome)

    def refuse(self, session: Session, code: str, reason: str) -> None:
        """End a session with the sentence that its node will exit with."""
        self._turned(session.route, session.node, code, reason)
        self.close(session)

    def close(self, session: Session) -> None:
        """Forget a session; what still comes on its route is dropped."""
        self._by_route.pop(session.route, None)
        if self._by_name.get(session.node) is session:
            del self._by_name[session.node]

    def enrol(self, roster: Roster, now: float) -> list[SessionEvent]:
        """From now on these keys are known: end the sessions of those that are not valid any more."""
        self.roster = roster
        events: list[SessionEvent] = []
        for session in self:
            if session.enrolled is None:
                continue
            challenger = session.challenger
            if challenger and challenger.enrolled and not _valid(roster, challenger.enrolled):
                session.challenger = None  # what it sends next is refused
            known = roster.find(session.enrolled.key)
            if valid := _valid(roster, session.enrolled):
                session.enrolled = valid
            else:
                reason = _objection(known, session.node)
                turned = self._turned(session.route, session.node, "key", reason)
                _, *others = self._lose(session, reason, now)
                events += [turned, Lost(session, reason, shut_out=True), *others]
        return events

    def receive(
        self, route: bytes, frames: Sequence[Buffer], now: float, key: KeyId = ""
    ) -> list[SessionEvent]:
        """Apply the rules to one arrived message, whose sender proved this key."""
        if route in self._dismissed:
            return []
        session = self._by_route.get(route)
        breach = self.guard.look(key or route, frames, now)
        if breach is not None:
            return self._held_back(route, session, breach, now)
        if self.roster is None:
            return self._hear(route, session, None, frames, now)
        events: list[SessionEvent] = []
        if session is not None and session.enrolled is not None and session.enrolled.key != key:
            events = self._lose(session, "its connection is gone", now)  # somebody else has its route now
            session = None
        known = self.roster.find(key)
        if isinstance(known, Invited) and not known.objection:
            return [*events, *self._ask_to_enrol(route, known, frames, now)]
        if not isinstance(known, Enrolled) or known.objection:
            node = known.node if known else ""
            return [*events, self._turned(route, node, "key", _objection(known, node))]
        return events + self._hear(route, session, known, frames, now)

    def enrolled(self, route: bytes, answer: EnrolledAnswer) -> None:
        """Tell a device that its key is enrolled. With that it connects again; this connection is over."""
        self._dismissed.add(route)
        self.send_frames(route, encode(answer, epoch=0))

    def not_enrolled(self, route: bytes, node: str, reason: str) -> Turned:
        """Tell a device why its invitation does not enrol it."""
        return self._turned(route, node, "invitation", reason)

    def _ask_to_enrol(
        self, route: bytes, invited: Invited, frames: Sequence[Buffer], now: float
    ) -> list[SessionEvent]:
        """The key of an invitation lets ENROLL in, and nothing else."""
        try:
            message = decode(frames, sender="node").message
        except OtherProtocolError as error:
            return [self._turned(route, invited.node, "protocol", str(error))]
        except RemoteProtocolError as error:
            self.guard.counts["malformed"] += 1
            return [Malformed(invited.node, str(error))]
        if isinstance(message, Enroll):
            if not self.guard.may_greet(invited.key, now):
                return [Cut(route)]  # it costs a look into files
            return [EnrolmentAsked(route, invited.key, message)]
        return [self._turned(route, invited.node, "key", _objection(invited, invited.node))]

    def _hear(
        self,
        route: bytes,
        session: Session | None,
        enrolled: Enrolled | None,
        frames: Sequence[Buffer],
        now: float,
    ) -> list[SessionEvent]:
        try:
            envelope = decode(frames, sender="node")
        except OtherProtocolError as error:
            return [self._turned(route, session.node if session else "", "protocol", str(error))]
        except RemoteProtocolError as error:
            self.guard.counts["malformed"] += 1
            return [Malformed(session.node if session else "", str(error))]
        message = envelope.message
        if isinstance(message, Hello):
            if not self.guard.may_greet(enrolled.node if enrolled else message.node, now):
                return [Cut(route)]  # not refused: it may try again
            return self._greet(route, message, enrolled, now)
        if session is None or envelope.epoch != session.epoch:
            return []
        session.last_heard = now
        if isinstance(message, Pong):
            return [*self._challenge_answered(session, message), Heard(session, message, None)]
        return [Heard(session, message, envelope.payload)]

    def asked_for(self, session: Session, nbytes: int) -> None:
        """So many bytes that came in this session are the answer to a PULL."""
        self.guard.asked_for(session.enrolled.key if session.enrolled else session.route, nbytes)

    def unreachable(self, route: bytes, now: float) -> list[SessionEvent]:
        """The transport has no connection behind this route any more."""
        self._dismissed.forget(route)
        for session in self:
            if session.challenger and session.challenger.route == route:
                session.challenger = None
        here = self._by_route.get(route)
        return self._lose(here, "its connection is gone", now) if here else []

    def tick(self, now: float) -> list[SessionEvent]:
        """Ping who is due, lose who is silent, decide challenges that were not answered."""
        self._excuse_own_absence(now)
        if now < self._next_sweep:
            return []
        self._next_sweep = now + self.timing.sweep_s
        self.guard.sweep(now)
        events: list[SessionEvent] = [Cut(route) for route in self._dismissed.overdue(now)]
        for session in self:
            challenger = session.challenger
            if challenger and now >= challenger.deadline:
                events += self._replace(session, challenger, now)
            elif now - session.last_heard > self.timing.lost_s:
                events += self._lose(session, f"no answer for {self.timing.lost_s:g} s", now)
            elif now - session.last_ping >= self.timing.ping_s:
                self._ping(session, now)
        return events

    def _excuse_own_absence(self, now: float) -> None:
        away = now - (self._last_tick if self._last_tick is not None else now)
        self._last_tick = now
        if away <= self.timing.ping_s:
            return
        for session in self:
            session.last_heard = now
            if session.challenger:
                session.challenger.deadline = now + self.timing.probe_s

    def _greet(self, route: bytes, hello: Hello, enrolled: Enrolled | None, now: float) -> list[SessionEvent]:
        if enrolled is not None and enrolled.node != hello.node:
            reason = (
                f"this key belongs to the node {enrolled.node!r}, not to {hello.node!r}; start it with "
                f"--name {enrolled.node}, or with a key that was made for {hello.node!r}"
            )
            return [self._turned(route, enrolled.node, "key", reason)]
        here = self._by_route.get(route)
        if here is not None:  # a HELLO that came twice: its answer may have been lost
            if here.hello == hello and here.welcome is not None:
                self.send(here, here.welcome)
            return []
        holder = self._by_name.get(hello.node)
        if holder is None:
            return [self._open(route, hello, enrolled, now)]
        if holder.hello.instance == hello.instance:
            turned = self._challenge_failed(holder)
            lost = self._lose(holder, "it connected again", now)
            return [*turned, *lost, self._open(route, hello, enrolled, now)]
        if holder.challenger is not None:
            if holder.challenger.hello.instance == hello.instance:
                holder.challenger.route = route  # its first attempts are shorter than the probe
                return []
            # With keys it asks again, when this is decided.
            return [] if enrolled else [self._name_taken(route, hello)]
        if enrolled is not None:
            self.send_frames(route, encode(Ping(number=0), epoch=0))  # fails if nobody is there any more
            holder.challenger = Challenger(route, hello, 0, now + self.timing.settle_s, enrolled)
            return []
        self._ping(holder, now)
        holder.challenger = Challenger(route, hello, holder.pinged, now + self.timing.probe_s)
        return []

    def _replace(self, session: Session, challenger: Challenger, now: float) -> list[SessionEvent]:
        """The challenger takes the name; see rule 4."""
        if challenger.enrolled is None:
            return self._lose(session, "it stopped answering and was replaced", now)
        reason = f"another process with the key of {session.node!r} has connected, and takes its place"
        turned = self._turned(session.route, session.node, "superseded", reason)
        return [turned, *self._lose(session, "it was started a second time", now)]

    def _open(self, route: bytes, hello: Hello, enrolled: Enrolled | None, now: float) -> Opened:
        session = Session(route, self.next_epoch, hello, last_heard=now, last_ping=now, enrolled=enrolled)
        self.next_epoch += 1
        self._by_route[route] = session
        self._by_name[hello.node] = session
        return Opened(session)

    def _challenge_answered(self, session: Session, pong: Pong) -> list[SessionEvent]:
        challenger = session.challenger
        if challenger is None or challenger.enrolled is not None or pong.number < challenger.number:
            return []
        return self._challenge_failed(session)

    def _challenge_failed(self, session: Session) -> list[SessionEvent]:
        challenger, session.challenger = session.challenger, None
        return [self._name_taken(challenger.route, challenger.hello)] if challenger else []

    def _name_taken(self, route: bytes, hello: Hello) -> Turned:
        reason = (
            f"the name {hello.node!r} is in use by another node, which answers; "
            "give this one another --name, or stop the other"
        )
        return self._turned(route, hello.node, "name-taken", reason)

    def _held_back(
        self, route: bytes, session: Session | None, breach: Breach, now: float
    ) -> list[SessionEvent]:
        node = session.node if session else ""
        if not breach.flood:
            return [Malformed(node, breach.reason)]
        reason = f"it sent {breach.reason}"
        if session is not None:
            self._dismissed.add(route, leave_s=0.0)  # what goes on coming costs time, though nobody reads it
            turned = self._turned(route, node, "limits", reason)
            return [turned, *self._lose(session, reason, now)]
        self._dismissed.add(route)
        told = [Turned("", "limits", reason)] if self.guard.worth_telling(now) else []
        return [*told, Cut(route)]

    def _turned(self, route: bytes, node: str, code: str, reason: str) -> Turned:
        """Tell whoever is behind a route why, and hear nothing of it from now on."""
        self._dismissed.add(route)
        self.send_frames(route, encode(Refused(about="hello", code=code, reason=reason), epoch=0))
        return Turned(node, code, reason)

    def _lose(self, session: Session, reason: str, now: float) -> list[SessionEvent]:
        self.close(session)
        events: list[SessionEvent] = [Lost(session, reason)]
        challenger = session.challenger
        if challenger and challenger.route not in self._by_route:  # else it has another name by now
            events.append(self._open(challenger.route, challenger.hello, challenger.enrolled, now))
        return events

    def _ping(self, session: Session, now: float) -> None:
        session.pinged += 1
        session.last_ping = now
        self.send(session, Ping(number=session.pinged))


def _valid(roster: Roster, before: Enrolled) -> Enrolled | None:
    """What is known of a key by now, if it still lets its node in."""
    known = roster.find(before.key)
    if isinstance(known, Enrolled) and known.node == before.node and not known.objection:
        return known
    return None


def _objection(known: Enrolled | Invited | None, node: str) -> str:
    """Why a key lets nobody in; one that is not known passed ZAP, so it was known then."""
    if known is None:
        return "the key of this node is not enrolled here any more"
    if known.objection:
        return known.objection
    if isinstance(known, Invited):
        return f"an invitation's key is for enrolling {known.node!r}, nothing else"
    return f"the key of {node!r} belongs to {known.node!r} now"
