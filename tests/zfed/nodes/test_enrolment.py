import os
import signal
import warnings
from contextlib import suppress

import pytest

from zfed.errors import CheckpointError
from zfed.identity import KeysFolder, NodeKey, invite, key_id
from zfed.nodes.coordinator_words import EnrolmentRefused, EnrolmentUnwritten, EnrolNode, NodeEnrolled
from zfed.nodes.enrolment import Enrolment

NOW = 1_795_305_600  # 2026-11-22T00:00:00Z
HOUR = 3600
DEVICE, OTHER = NodeKey.generate().public, NodeKey.generate().public


class Desk:
    """A coordinator's keys folder with one invitation for alice, and what its journal was told."""

    def __init__(self, path):
        self.keys = KeysFolder(path)
        self.coordinator = self.keys.new_key("coordinator").public
        self.now = NOW
        self.lines = []
        self.invitation = self.invite("alice", max_examples=500, tags=("gpu",))

    def invite(self, name, **options):
        made = invite(self.keys, name, address="tcp://127.0.0.1:1", until=NOW + HOUR, **options)
        return key_id(made.public)

    def ask(self, key=DEVICE, *, node="alice", invitation="", journal=None):
        enrolment = Enrolment(
            self.keys, self.coordinator, journal=journal or self.lines.append, wall_clock=lambda: self.now
        )
        job = EnrolNode(route=b"r", invitation=invitation or self.invitation, node=node, key=key.text)
        return enrolment.perform(job)

    @property
    def enrolled(self):
        return [(each.name, each.key) for each in self.keys.authorized_nodes.read().keys]

    def done(self, key=DEVICE):
        return NodeEnrolled(b"r", "alice", key.fingerprint, self.coordinator.text)


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path / "keys")


def test_the_device_is_enrolled_with_what_its_invitation_says_and_the_journal_tells(desk):
    assert desk.ask() == desk.done()
    [entry] = desk.keys.authorized_nodes.read().keys
    assert (entry.name, entry.key, entry.max_examples, entry.tags) == ("alice", DEVICE, 500, ("gpu",))
    assert entry.until is None
    line = {"event": "enrolled", "node": "alice", "key": DEVICE.key_id, "fingerprint": DEVICE.fingerprint}
    assert desk.lines == [line]


def test_a_lost_answer_is_given_again_and_nothing_is_done_twice(desk):
    desk.ask()
    desk.now += 2 * HOUR
    assert desk.ask() == desk.done()
    assert len(desk.lines) == len(desk.enrolled) == 1


def test_a_second_device_is_refused(desk):
    desk.ask()
    refused = desk.ask(OTHER)
    assert isinstance(refused, EnrolmentRefused)
    assert "was used by another device" in refused.reason
    assert desk.enrolled == [("alice", DEVICE)]


def test_an_expired_invitation_is_refused_and_nothing_is_written(desk):
    desk.now += HOUR
    refused = desk.ask()
    assert refused.reason == "the invitation for alice expired on 2026-11-22T01:00:00Z: ask for another"
    assert desk.enrolled == desk.lines == []


def test_a_device_that_was_shut_out_does_not_come_back_by_its_old_invitation(desk):
    desk.ask()
    desk.keys.authorized_nodes.edit(lambda table: table.revoked("alice", now=NOW))
    refused = desk.ask()
    assert isinstance(refused, EnrolmentRefused)
    assert "was revoked on 2026-11-22" in refused.reason
    desk.keys.authorized_nodes.path.unlink()
    assert "is not enrolled any more" in desk.ask().reason
    assert desk.enrolled == []


def test_a_name_of_another_device_is_not_given_away(desk):
    desk.keys.authorized_nodes.edit(lambda table: table.enrolled("alice", OTHER, now=NOW, overlap_s=0))
    refused = desk.ask()
    assert isinstance(refused, EnrolmentRefused)
    assert "zfed enroll --revoke alice" in refused.reason
    assert desk.enrolled == [("alice", OTHER)]


def test_a_key_of_another_name_is_refused(desk):
    desk.ask()
    refused = desk.ask(invitation=desk.invite("bob"), node="bob")
    assert isinstance(refused, EnrolmentRefused)
    assert "this key is that of alice" in refused.reason


def test_a_key_whose_signature_is_wrong_is_refused(desk):
    class Forged:
        text = DEVICE.text[:-4] + "AAAA"

    assert isinstance(desk.ask(Forged), EnrolmentRefused)
    assert desk.enrolled == []


def test_a_file_that_cannot_be_written_is_not_the_devices_fault(desk):
    def full(line):
        raise CheckpointError("the disk is full")

    assert desk.ask(journal=full) == EnrolmentUnwritten(b"r", "alice", "the disk is full")
    desk.keys.authorized_nodes.path.chmod(0o666)
    unwritten = desk.ask()
    assert isinstance(unwritten, EnrolmentUnwritten)
    assert "others may write" in unwritten.reason
    desk.keys.authorized_nodes.path.chmod(0o644)
    assert desk.ask() == desk.done()


def die_at(step, desk):
    """Ask in a process that is killed instead of its step-th change on disk; how many of them were left."""
    left = step

    def count():
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    with warnings.catch_warnings():  # of a child of many threads; this one makes no more of them
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        with suppress(BaseException):
            rename = os.replace

            def counted(source, path):
                count()
                rename(source, path)

            os.replace = counted
            desk.ask(journal=lambda line: count())
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


STEPS = ("claim", "enrol", "journal", "use")


@pytest.mark.parametrize("step", range(1, 5), ids=STEPS)
def test_whenever_the_coordinator_dies_one_device_and_no_other_is_enrolled(desk, step):
    assert die_at(step, desk)
    assert desk.enrolled == ([] if step <= 2 else [("alice", DEVICE)])
    if step > 1:
        assert isinstance(desk.ask(OTHER), EnrolmentRefused)
    assert desk.ask() == desk.done()
    assert desk.enrolled == [("alice", DEVICE)]
    assert len(desk.lines) == 1  # the child's journal died with it
    assert isinstance(desk.ask(OTHER), EnrolmentRefused)


def test_there_are_no_more_steps_than_those(desk):
    assert not die_at(5, desk)
    assert desk.ask() == desk.done()
