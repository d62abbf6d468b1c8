"""Who takes part: from a node's HELLO until its session is over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from zfed.config import CoordinatorConfig, EvaluateConfig
from zfed.config.sizes import parse_size
from zfed.facts import Fact, NodeJoined, NodeRefused, Progress
from zfed.nodes.admission import (
    Objection,
    PartsHeld,
    RunLayout,
    bench_objection,
    examples_objection,
    name_objection,
    partition_of,
)
from zfed.nodes.descriptions import Descriptions
from zfed.nodes.link_compression import LinkEncodings, RunCompression
from zfed.nodes.upload_plan import WINDOW_BYTES
from zfed.rounds.merging import Merging
from zfed.rounds.refusals import Refusals
from zfed.strategies import Needs
from zfed.tags import settled_tags
from zfed.wire.answers import Answers
from zfed.wire.codec import Buffer
from zfed.wire.messages import Pong, Pull, Welcome
from zfed.wire.pacing import Limits
from zfed.wire.session import Sessions
from zfed.wire.session_words import Session, Timing
from zfed.wire.transfer import Puller, Window

OWN_MODELS_ANNOUNCED = "this worker's own model will be evaluated, not only the federated one"
VALIDATION_ANNOUNCED = (
    "what is evaluated here decides which version is the run's best: it is no test any more"
)
IDLE_S = 4.0
"""After so long without work, a node that was asked for some is asked again."""

UNPROTECTED = "traffic of this run is neither encrypted nor authenticated"


@dataclass
class Peer:
    """What the coordinator keeps of one session beside the session itself."""

    session: Session
    puller: Puller
    answers: Answers
    admitted: bool = False
    encodings: LinkEncodings = field(default_factory=LinkEncodings)
    progress: Pong | None = None
    idle_since: float | None = None
    layout: list[tuple[int, Buffer]] = field(default_factory=list)
    tags: tuple[str, ...] = ()
    unready: str = ""
    answered: int = 0

    def close(self) -> None:
        """It is gone: nothing is owed to it, and nothing of it awaited."""
        self.puller.close()
        self.answers.close()

    def write_layout(self, offset: int, data: Buffer) -> None:
        """Keep a slice of the description of its layout."""
        self.layout.append((offset, data))

    def says_anew(self, pong: Pong) -> bool:
        """True if this answers a PING that was not answered: what it says of itself may change as often."""
        if not self.answered < pong.number <= self.session.pinged:
            return False
        self.answered = pong.number
        return True

    def rests(self, pong: Pong, now: float) -> bool:
        """True if it has had nothing to do for a while, and so has perhaps not got what it was asked for."""
        if pong.work:
            self.idle_since = None
        elif self.idle_since is None:
            self.idle_since = now
        elif now - self.idle_since >= IDLE_S:
            self.idle_since = now
            return True
        return False

    def news(self, pong: Pong, round: int) -> Progress | None:
        """How far its work is, if it is further than it was when last asked."""
        before, self.progress = self.progress, pong if pong.work else self.progress
        if not pong.work or (before and (pong.work, pong.done) == (before.work, before.done)):
            return None
        return Progress(
            node=self.session.node,
            round=round,
            stage=pong.work,
            done=pong.done,
            total=pong.total,
            metrics=pong.metrics,
        )


def tags_of(session: Session) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What a node is called, and which of its claims do not count; see `settled_tags`."""
    return settled_tags(session.hello.tags, session.enrolled.tags if session.enrolled else ())


class Reception:
    """Answers HELLO, and knows who is here.

    Args:
        config: The run's configuration.
        run: The run's id.
        run_key: Tells it from another of the same name.
        sessions: Through which a node is welcomed or refused.
        timing: Seconds of the session rules, for WELCOME.
        protected: False if traffic is neither encrypted nor authenticated.
        refusals: Know who is benched.
        merging: Knows how the metrics of nodes become one.
        needs: Of the strategy.
        tell: Where facts go.
        serve: Answers a PULL, when limits allow; returns how many bytes that took.

    Attributes:
        peers: Who has a session and was not refused, by name.
        seen: Who ever took part.
        layout: Of the run's model.
        compression: Of the run's links.
        limits: Of what all peers together may send and be sent.
    """

    def __init__(
        self,
        config: CoordinatorConfig,
        run: str,
        sessions: Sessions,
        *,
        timing: Timing,
        protected: bool,
        run_key: str = "",
        refusals: Refusals,
        merging: Merging,
        needs: Needs,
        tell: Callable[[Fact], None],
        serve: Callable[[Session, Pull], int],
    ) -> None:
        self.peers: dict[str, Peer] = {}
        self.seen: set[str] = set()
        self.layout = RunLayout()
        self.compression = RunCompression(config.run, needs)
        self.limits = Limits(config.run.limit_up, config.run.limit_down, parse_size(config.limits.chunk))
        self._own_models = config.evaluate.workers
        self._validates = _validating_kind(config.evaluate)
        self._run = run
        self._run_key = run_key
        self._sessions = sessions
        self._timing = timing
        self._protected = protected
        self._refusals = refusals
        self._merging = merging
        self._tell = tell
        self._serve = serve
        self._parts = PartsHeld()
        self._descriptions = Descriptions(parse_size(config.limits.staging))
        self._window = Window(WINDOW_BYTES)

    def find(self, session: Session) -> Peer | None:
        """The peer of a session, unless another session has its name by now."""
        peer = self.peers.get(session.node)
        return peer if peer is not None and peer.session is session else None

    def greet(self, session: Session, *, run_is_over: bool) -> Peer | None:
        """Welcome a node, or refuse it; it is not admitted yet.

        When the run is over, only who took part is welcome: to be told of its end.
        """
        hello = session.hello
        if run_is_over and hello.node not in self.seen:
            self.turn_away(session, Objection("ended", f"the run {self._run!r} has ended"))
            return None
        levels = self._objection(session) or self.compression.agree(hello)
        if isinstance(levels, Objection):
            self.turn_away(session, levels)
            return None
        peer = self.peers[hello.node] = self._peer(session)
        self._parts.hold(hello)
        announcements = [] if self._protected else [UNPROTECTED]
        if self._own_models and hello.node_kind == "worker":
            announcements.append(OWN_MODELS_ANNOUNCED)
        if hello.node_kind == self._validates and (hello.node_kind == "evaluator" or hello.held_out):
            announcements.append(VALIDATION_ANNOUNCED)
        welcome = Welcome(
            run=self._run,
            ping_s=self._timing.ping_s,
            lost_s=self._timing.lost_s,
            protected=self._protected,
            announcements=announcements,
            compress=levels.updates,
            compress_model=levels.model,
            exact=list(self.compression.exact),
            run_key=self._run_key,
        )
        self._sessions.welcome(session, welcome)
        return peer

    def described(self, peer: Peer, nbytes: int) -> tuple[Peer, Objection] | None:
        """So much of a node's description of its layout has come; who must go for it, and why."""
        node = self._descriptions.add(peer.session.node, nbytes)
        if node is None:
            return None
        limit, sent = self._descriptions.limit, self._descriptions.drop(node)
        reason = (
            f"descriptions of the models of nodes that are not admitted yet take more than {limit} bytes "
            f"(--max-staging), and {node} has sent most of it: {sent}"
        )
        return self.peers[node], Objection("limits", reason)

    def admit(self, peer: Peer) -> NodeJoined | None:
        """Let a node with the run's layout take part, or refuse it for what its task forbids."""
        hello = peer.session.hello
        encodings = self.compression.encodings(hello)
        reason = self._merging.objection(hello.node, hello.merge)
        if reason or isinstance(encodings, Objection):
            objection = encodings if isinstance(encodings, Objection) else Objection("metrics", reason)
            self.turn_away(peer.session, objection)
            if not self.seen:
                self.layout = RunLayout()  # it was this node's, and nobody takes part who has it
            return None
        self._merging.take(hello.node, hello.merge)
        peer.admitted, peer.encodings = True, encodings
        peer.layout.clear()
        self._descriptions.drop(hello.node)
        rejoined = hello.node in self.seen
        peer.tags, ignored = tags_of(peer.session)
        self.seen.add(hello.node)
        return NodeJoined(
            node=hello.node,
            kind=hello.node_kind,
            examples=hello.examples,
            partition=partition_of(hello.partition).describe() if hello.node_kind == "worker" else "",
            label_counts=hello.label_counts,
            held_out=hello.held_out,
            rejoined=rejoined,
            tags=list(peer.tags),
            ignored_tags=list(ignored),
            unready=peer.unready,
        )

    def turn_away(self, session: Session, objection: Objection) -> None:
        """Refuse a node, and say why on both sides."""
        self._sessions.refuse(session, objection.code, objection.reason)
        self.leave(session)
        self._tell(NodeRefused(node=session.node, code=objection.code, reason=objection.reason))

    def leave(self, session: Session) -> Peer | None:
        """A session is over; returns whose, if that was here."""
        peer = self.find(session)
        if peer is not None:
            del self.peers[session.node]
            self._descriptions.drop(session.node)
            self._parts.release(session.hello)
            peer.close()
        return peer

    def _peer(self, session: Session) -> Peer:
        puller = Puller(lambda pull: self._sessions.send(session, pull), self._window, self.limits.down)
        answers = Answers(self.limits.up, lambda pull: self._serve(session, pull))
        return Peer(session, puller, answers, unready=session.hello.unready)

    def _objection(self, session: Session) -> Objection | None:
        hello = session.hello
        return (
            name_objection(hello)
            or bench_objection(hello, self._refusals)
            or examples_objection(session)
            or self._parts.objection(hello)
            or self.layout.too_long(hello)
        )


def _validating_kind(config: EvaluateConfig) -> str:
    """Whose data say which version is best; empty if nothing is watched."""
    if not config.watch:
        return ""
    return "evaluator" if config.watch_on == "central" else "worker"
