"""Devices with invitations and a coordinator, over real sockets."""

import queue
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from zfed.checkpoint import read_journal
from zfed.config import CoordinatorConfig, NodeConfig, RunConfig
from zfed.errors import ConnectError, RefusedError, UsageError
from zfed.facts import CoordinatorStarted, NodeEnrolled, NodeRefused
from zfed.identity import Invitation, KeysFolder, invite
from zfed.nodes.coordinator import Coordinator
from zfed.nodes.invited_device import enrol_device
from zfed.transport import ClientSecurity, CurveKeys, SocketConnector
from zfed.wire.codec import decode, encode
from zfed.wire.messages import Enroll, Pull, Refused

PATIENCE_S = 10.0
HOUR = 3600


class Hall:
    """A coordinator that runs in a thread, and the devices that come to it."""

    def __init__(self, folder):
        self.folder = folder
        self.keys = KeysFolder(folder / "coordinator")
        self.keys.new_key("coordinator")
        self.facts = queue.SimpleQueue()
        run = RunConfig(bind="tcp://127.0.0.1:*", run=str(folder / "run"), keys=str(self.keys.path))
        self._coordinator = Coordinator(CoordinatorConfig(run=run), observer=self.facts.put)
        self._thread = threading.Thread(target=self._coordinator.run)
        self._thread.start()
        self.address = self.told(CoordinatorStarted).address

    def told(self, kind):
        """The next fact of this kind."""
        until = time.monotonic() + PATIENCE_S
        while True:
            fact = self.facts.get(timeout=max(until - time.monotonic(), 0.01))
            if isinstance(fact, kind):
                return fact

    def close(self):
        self._coordinator.stop("the test is over")
        self._thread.join()

    def invite(self, name="alice", lasts_s=HOUR):
        return invite(self.keys, name, address=self.address, until=int(time.time()) + lasts_s)

    def enrol(self, invitation, device="device", told=None, **options):
        """What a device with a keys folder of its own does with a token."""
        config = NodeConfig(keys=str(self.folder / device), **options)
        return enrol_device(config, invitation.text, observer=[].append if told is None else told.append)

    def device_key(self, device="device", name="alice"):
        return KeysFolder(self.folder / device).key(name).public

    @property
    def enrolled(self):
        return [(each.name, each.key) for each in self.keys.authorized_nodes.read().keys]

    @property
    def journal(self):
        return [
            line
            for line in read_journal(self.folder / "run" / "journal.jsonl").records
            if line["event"] == "enrolled"
        ]


@pytest.fixture
def hall(tmp_path):
    hall = Hall(tmp_path)
    yield hall
    hall.close()


def connected(invitation):
    """A connection with the one-time key of an invitation."""
    keys = CurveKeys(invitation.public, invitation.secret)
    connector = SocketConnector(security=ClientSecurity(keys, lambda address: invitation.coordinator))
    connector.open(invitation.address)
    return connector


def answer(connector):
    """The next message that comes."""
    until = time.monotonic() + PATIENCE_S
    while (arrived := connector.receive()) is None:
        assert time.monotonic() < until
        connector.attend()
        connector.pollables[0].poll(100)
    return decode(arrived.frames, sender="coordinator").message


def test_a_device_is_enrolled_knows_its_coordinator_and_may_say_the_same_again(hall):
    invitation, told = hall.invite(), []
    config = hall.enrol(invitation, told=told)
    assert (config.name, config.connect) == ("alice", hall.address)
    key = hall.device_key()
    assert hall.enrolled == [("alice", key)]
    known = KeysFolder(hall.folder / "device").known_coordinators.find(hall.address)
    assert known == hall.keys.key("coordinator").public
    assert told == [NodeEnrolled(node="alice", fingerprint=key.fingerprint, address=hall.address)]
    assert hall.told(NodeEnrolled) == NodeEnrolled(node="alice", fingerprint=key.fingerprint)
    assert hall.enrol(invitation) == config
    assert hall.enrolled == [("alice", key)]
    assert [(line["node"], line["fingerprint"]) for line in hall.journal] == [("alice", key.fingerprint)]


def test_of_two_devices_with_one_invitation_exactly_one_is_enrolled(hall):
    invitation = hall.invite()

    def attempt(device):
        try:
            return hall.enrol(invitation, device)
        except RefusedError as error:
            return error

    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(attempt, ["one", "two"]))
    lost = [result for result in results if isinstance(result, RefusedError)]
    assert len(lost) == 1
    assert "was used by another device" in str(lost[0])
    winner = "two" if results[0] is lost[0] else "one"
    assert hall.enrolled == [("alice", hall.device_key(winner))]
    assert not (hall.folder / ("one" if winner == "two" else "two") / "known-coordinators").exists()


def test_an_expired_invitation_is_refused_by_the_device_and_by_the_coordinator(hall):
    invitation = hall.invite(lasts_s=0)
    with pytest.raises(UsageError, match=r"expired on .* by the clock of this machine: ask for another"):
        hall.enrol(invitation)
    with pytest.raises(RefusedError, match="the invitation for alice expired on "):
        hall.enrol(replace(invitation, expires=invitation.expires + HOUR))
    assert hall.told(NodeRefused).code == "invitation"
    assert hall.enrolled == []


def test_a_device_that_is_enrolled_needs_its_invitation_no_more(hall):
    invitation = hall.invite()
    config = hall.enrol(invitation)
    assert hall.enrol(replace(invitation, expires=1)) == config


def test_a_revoked_invitation_is_refused(hall):
    invitation = hall.invite()
    hall.keys.invitations.edit(lambda table: table.revoke("alice", now=int(time.time())))
    with pytest.raises(RefusedError, match="the invitation for alice was revoked on "):
        hall.enrol(invitation)


def test_an_invitation_of_another_coordinator_is_refused_in_time(hall):
    other = KeysFolder(hall.folder / "other")
    other.new_key("coordinator")
    strange = invite(other, "alice", address=hall.address, until=int(time.time()) + HOUR)
    begun = time.monotonic()
    with pytest.raises(RefusedError, match="is not the one that this invitation is from"):
        hall.enrol(strange)
    half_known = replace(strange, coordinator=hall.keys.key("coordinator").public.curve)
    with pytest.raises(RefusedError, match="does not know this invitation"):
        hall.enrol(half_known)
    assert time.monotonic() - begun < 2 * 10
    assert hall.enrolled == []


def test_a_device_whose_answer_was_lost_is_answered_again(hall):
    invitation = hall.invite()
    key = KeysFolder(hall.folder / "device").new_key("alice").public
    connector = connected(invitation)
    connector.send(b"", encode(Enroll(protocol="zfed/1", node="alice", key=key.text), epoch=0))
    assert hall.told(NodeEnrolled).node == "alice"
    connector.close()
    hall.enrol(invitation)
    assert hall.enrolled == [("alice", key)]
    assert len(hall.journal) == 1


def test_the_key_of_an_invitation_is_good_for_nothing_else(hall):
    connector = connected(hall.invite())
    connector.send(b"", encode(Pull(blob="model:0", offset=0, bytes=1), epoch=1 << 32 | 1))
    refused = answer(connector)
    connector.close()
    assert isinstance(refused, Refused)
    assert "an invitation's key is for enrolling 'alice', nothing else" in refused.reason


def test_a_device_waits_for_its_coordinator_as_long_as_it_was_told_to(tmp_path):
    keys = KeysFolder(tmp_path / "coordinator")
    keys.new_key("coordinator")
    token = invite(keys, "alice", address="tcp://127.0.0.1:9", until=int(time.time()) + HOUR).text
    config = NodeConfig(keys=str(tmp_path / "device"), connect_timeout_s=0.5)
    with pytest.raises(ConnectError, match=r"no coordinator answered at tcp://127\.0\.0\.1:9 "):
        enrol_device(config, token, observer=lambda fact: None)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"name": "bob"}, "the invitation is for alice, not for bob"),
        ({"insecure": True}, "leave --insecure away"),
    ],
)
def test_what_contradicts_the_invitation_is_refused_before_anything_is_made(tmp_path, options, complaint):
    token = Invitation.new(node="alice", address="tcp://a:1", coordinator=bytes(32), expires=1).text
    with pytest.raises(UsageError, match=complaint):
        enrol_device(NodeConfig(keys=str(tmp_path / "keys"), **options), token, observer=print)
    assert not (tmp_path / "keys").exists()


def test_a_coordinators_key_that_is_not_the_invitations_is_refused(tmp_path):
    keys = KeysFolder(tmp_path)
    theirs, other = keys.new_key("theirs").public, keys.new_key("other").public
    token = Invitation.new(node="alice", address="tcp://a:1", coordinator=theirs.curve, expires=1).text
    with pytest.raises(UsageError, match="--coordinator-key is not the key"):
        enrol_device(NodeConfig(coordinator_key=other.text), token, observer=print)
