import numpy as np
import pytest

from zfed.config import CoordinatorConfig, EvaluateConfig, RunConfig
from zfed.facts import NodeRefused
from zfed.nodes.reception import OWN_MODELS_ANNOUNCED, UNPROTECTED, VALIDATION_ANNOUNCED, Reception
from zfed.params import ParameterBuffer
from zfed.rounds.merging import Merging
from zfed.rounds.refusals import Refusals
from zfed.strategies import Needs
from zfed.wire.codec import decode, encode
from zfed.wire.digests import layout_blob
from zfed.wire.messages import Hello, PartitionClaim, Pong
from zfed.wire.session import Sessions
from zfed.wire.session_words import Opened, Timing

LAYOUT = ParameterBuffer.from_arrays({"w": np.zeros(3, np.float32)}).layout


class Desk:
    """A reception, the sessions before it, and what was sent and told."""

    def __init__(self, *, protected=False, own_models=False, evaluate=None):
        self.sent, self.told, self.opened = [], [], 0
        self.sessions = Sessions(lambda route, frames: self.sent.append((route, frames)), Timing())
        config = CoordinatorConfig(
            run=RunConfig(), evaluate=EvaluateConfig(workers=own_models, **(evaluate or {}))
        )
        self.reception = Reception(
            config,
            "run-1",
            self.sessions,
            timing=Timing(),
            protected=protected,
            refusals=Refusals(3),
            merging=Merging(),
            needs=Needs(),
            tell=self.told.append,
            serve=lambda session, pull: 0,
        )

    def session(self, node="alice", *, kind="worker", spec="all", merge=None, held_out=0):
        """The session of a new instance of a node, on a route of its own."""
        self.opened += 1
        hello = Hello(
            protocol="zfed/1",
            node=node,
            node_kind=kind,
            instance="0" * 32,
            version="0",
            layout=layout_blob("layout", LAYOUT.to_bytes()),
            examples=10,
            partition=PartitionClaim(spec=spec),
            merge=merge or {},
            held_out=held_out,
        )
        events = self.sessions.receive(bytes([self.opened]), encode(hello, epoch=0), 0.0)
        [session] = [event.session for event in events if isinstance(event, Opened)]
        return session

    def greet(self, *args, run_is_over=False, **named):
        return self.reception.greet(self.session(*args, **named), run_is_over=run_is_over)

    def last_sent(self):
        return decode(self.sent[-1][1], sender="coordinator").message


@pytest.mark.parametrize("protected", [False, True])
@pytest.mark.parametrize("own_models", [False, True])
@pytest.mark.parametrize("kind", ["worker", "evaluator"])
def test_a_node_is_welcomed_with_what_its_owner_must_know(protected, own_models, kind):
    desk = Desk(protected=protected, own_models=own_models)
    peer = desk.greet(kind=kind)
    assert desk.reception.peers == {"alice": peer}
    assert not peer.admitted
    told = desk.last_sent().announcements
    assert (UNPROTECTED in told) == (not protected)
    assert (OWN_MODELS_ANNOUNCED in told) == (own_models and kind == "worker")


def test_nobody_is_welcome_when_the_run_is_over():
    desk = Desk()
    assert desk.greet(run_is_over=True) is None
    assert desk.last_sent().code == "ended"
    assert desk.reception.peers == {}


def test_a_part_of_the_data_is_free_again_when_its_worker_has_left():
    desk = Desk()
    alice = desk.greet("alice", spec="iid:1/2")
    assert desk.greet("bob", spec="iid:1/2") is None
    [refused] = desk.told
    assert (type(refused), refused.node, refused.code) == (NodeRefused, "bob", "partition")
    assert desk.reception.leave(alice.session) is alice
    assert desk.greet("bob", spec="iid:1/2") is not None


def test_a_session_that_was_superseded_is_nobodys():
    desk = Desk()
    before, after = desk.greet().session, desk.greet().session
    assert desk.reception.find(before) is None
    assert desk.reception.leave(before) is None
    assert desk.reception.find(after) is desk.reception.peers["alice"]


def test_a_node_that_was_here_before_has_rejoined():
    desk = Desk()
    desk.reception.layout.layout = LAYOUT
    desk.reception.compression.lay_out(LAYOUT)
    peer = desk.greet()
    assert not desk.reception.admit(peer).rejoined
    assert peer.admitted
    desk.reception.leave(peer.session)
    assert desk.reception.admit(desk.greet()).rejoined


def test_only_progress_is_news():
    peer = Desk().greet()
    assert peer.news(Pong(number=1), 1) is None
    assert peer.news(Pong(number=2, work="train", done=1, total=9), 1).done == 1
    assert peer.news(Pong(number=3, work="train", done=1, total=9), 1) is None
    assert peer.news(Pong(number=4), 1) is None
    assert peer.news(Pong(number=5, work="train", done=1, total=9), 1) is None
    assert peer.news(Pong(number=6, work="train", done=2, total=9), 1).done == 2


def test_a_node_that_merges_metrics_otherwise_than_the_first_one_is_refused():
    desk = Desk()
    desk.reception.compression.lay_out(LAYOUT)
    first = desk.greet(merge={"correct": "sum"})
    other = desk.greet("bob", merge={"correct": "max"})
    assert desk.reception.admit(first) is not None
    assert desk.reception.admit(other) is None
    refused = desk.told[-1]
    assert (refused.node, refused.code) == ("bob", "metrics")
    assert "merges the metric 'correct' by max, the run by sum" in refused.reason


@pytest.mark.parametrize("name", ["federated", "workers"])
def test_a_name_under_which_evaluations_are_reported_is_nobodys(name):
    desk = Desk()
    assert desk.greet(name) is None
    assert desk.told[-1].code == "name"


@pytest.mark.parametrize(
    ("watch_on", "kind", "held_out", "said"),
    [
        ("central", "evaluator", 0, True),
        ("central", "worker", 5, False),
        ("workers", "worker", 5, True),
        ("workers", "worker", 0, False),
        ("workers", "evaluator", 0, False),
    ],
)
def test_who_decides_which_version_is_best_is_told_so(watch_on, kind, held_out, said):
    desk = Desk(protected=True, evaluate={"by": "both", "watch": "loss", "watch_on": watch_on})
    desk.greet(kind=kind, held_out=held_out)
    assert (VALIDATION_ANNOUNCED in desk.last_sent().announcements) == said
