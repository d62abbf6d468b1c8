"""Who may not come in is told why, or hears nothing; whoever is there notices nothing."""

import time

import pytest

from tests.attacks.hostile_worker import CurveKeys, HostileWorker, tiny_values
from tests.attacks.raw_peers import HTTP, RawPeer
from zfed.facts import NodeLeft, RunEnded
from zfed.identity import NodeKey
from zfed.wire.messages import Refused, Update, Welcome

TOLD_WITHIN_S = 10.0
OTHER_COORDINATOR = NodeKey.generate().public


@pytest.fixture(autouse=True)
def _others_are_unaffected(site):
    """Whatever a stranger does: alice and bob stay, rounds go on, and nobody else counts."""
    counted = site.counted()
    yield
    assert site.goes_on()
    assert site.counted() == counted
    assert not site.told(NodeLeft, node="alice")
    assert not site.told(NodeLeft, node="bob")


@pytest.fixture(scope="module")
def turned_away(site):
    """Real workers, all started at once: why each says that it ends, in time."""
    site.stranger("stranger")
    site.enrolled("misled")
    workers = {
        "no key": site.worker("keyless", insecure=True),
        "unknown key": site.worker("stranger"),
        "another coordinator": site.worker("misled", "--coordinator-key", OTHER_COORDINATOR.text),
    }
    until = time.monotonic() + TOLD_WITHIN_S
    reasons = {}
    for what, worker in workers.items():
        assert worker.exit_code(until - time.monotonic()) == 1, worker.report("refusal")
        [ended] = worker.told(RunEnded)
        reasons[what] = ended.reason
    return reasons


def test_a_worker_without_keys_says_that_the_coordinator_asks_for_them(turned_away):
    assert "asks for keys" in turned_away["no key"]
    assert "--insecure" in turned_away["no key"]


def test_a_worker_whose_key_nobody_knows_says_how_to_enrol_it(turned_away):
    assert "not enrolled here" in turned_away["unknown key"]
    assert "zfed enroll stranger zfed-key-" in turned_away["unknown key"]


def test_a_worker_that_expects_another_coordinator_says_so(turned_away):
    assert "probably the wrong coordinator key" in turned_away["another coordinator"]
    assert OTHER_COORDINATOR.fingerprint in turned_away["another coordinator"]


def test_who_holds_one_key_cannot_take_anothers_name(site):
    with HostileWorker(site.address, "alice", keys=site.enrolled("impostor")) as impostor:
        refused = impostor.greet().awaits_refusal()
        assert refused.code == "key"
        assert "'impostor'" in refused.reason
        assert impostor.hears_nothing(0.2)
        impostor.greet(node="impostor")  # too late: of this connection nothing is heard any more
        assert impostor.hears_nothing(0.5)


def test_a_message_under_anothers_epoch_is_not_heard(site):
    with HostileWorker(site.address, "eve", keys=site.enrolled("eve")) as eve:
        order = eve.join()
        for epoch in range(eve.epoch - 3, eve.epoch):
            eve.say(Update(assignment=order.assignment, version=order.version, vectors=[]), epoch=epoch)
        assert eve.hears_nothing(0.3)
        eve.leave()


def test_who_is_revoked_in_the_middle_of_a_round_is_told_and_nothing_of_it_counts(site):
    keys = site.enrolled("carol")
    with HostileWorker(site.address, "carol", keys=keys) as carol:
        order = carol.join()
        site.revoke("carol")
        began = time.monotonic()
        assert "revoked" in carol.awaits_refusal().reason
        carol.offer(order, tiny_values())
        assert carol.hears_nothing(0.5)
        site.rounds(1)
        assert time.monotonic() - began < site.rejoin_grace_s / 2  # nobody waits for who may not come back
    with HostileWorker(site.address, "carol", keys=keys) as back:
        assert "revoked" in back.greet().awaits_refusal().reason
        back.greet()
        assert back.hears_nothing(0.5)
        assert [type(message) for message in back.heard] == [Refused]


@pytest.mark.parametrize("kind", ["no key", "unknown key", "wrong coordinator key"])
def test_a_client_that_fails_the_handshake_is_never_heard(site, kind):
    keys = {
        "no key": None,
        "unknown key": CurveKeys.unknown(site.key.curve),
        "wrong coordinator key": CurveKeys.unknown(OTHER_COORDINATOR.curve),
    }[kind]
    with HostileWorker(site.address, "alice", keys=keys) as stranger:
        stranger.greet()
        assert stranger.hears_nothing(1)
        assert not [message for message in stranger.heard if isinstance(message, Welcome)]


@pytest.mark.parametrize("said", [HTTP, b"\0" * 64, b"\xff" * 200], ids=["HTTP", "zeros", "ones"])
def test_who_does_not_speak_zmtp_is_closed(site, said):
    with RawPeer(site.address) as peer:
        peer.say(said)
        assert peer.closed_within(7)


def test_who_says_that_it_needs_no_key_is_closed_after_its_greeting(site):
    with RawPeer(site.address) as peer:
        assert peer.greet("NULL").closed_within(7)
