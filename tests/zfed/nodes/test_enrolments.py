import pytest

from zfed.facts import NodeEnrolled as NodeEnrolledFact
from zfed.facts import NodeRefused, NotWritten
from zfed.nodes.coordinator_words import EnrolmentRefused, EnrolmentUnwritten, EnrolNode, NodeEnrolled
from zfed.nodes.enrolments import Enrolments
from zfed.wire.codec import decode
from zfed.wire.messages import Enroll, Enrolled, Refused
from zfed.wire.session import Sessions
from zfed.wire.session_words import EnrolmentAsked

KEY = "k" * 43
JOB = EnrolNode(route=b"r", invitation=KEY, node="alice", key="zfed-key-x")


class Desk:
    """Enrolments, with all that they send, ask for and tell."""

    def __init__(self):
        self.sent, self.jobs, self.told = [], [], []
        sessions = Sessions(self.catch)
        self.enrolments = Enrolments(sessions, effect=self.jobs.append, tell=self.told.append)

    def catch(self, route, frames):
        self.sent.append((route, decode(frames, sender="coordinator").message))

    def ask(self, route=b"r"):
        enroll = Enroll(protocol="zfed/1", node="alice", key="zfed-key-x")
        self.enrolments.ask(EnrolmentAsked(route, KEY, enroll))


@pytest.fixture
def desk():
    return Desk()


def test_a_connection_has_one_job_at_a_time_however_often_it_asks(desk):
    desk.ask()
    desk.ask()
    assert desk.jobs == [JOB]
    desk.enrolments.answer(EnrolmentUnwritten(b"r", "alice", "the disk is full"))
    desk.ask()
    assert desk.jobs == [JOB, JOB]


def test_two_connections_have_a_job_each(desk):
    desk.ask(b"r")
    desk.ask(b"s")
    assert [job.route for job in desk.jobs] == [b"r", b"s"]


def test_who_is_enrolled_is_told_so_with_the_coordinators_key(desk):
    desk.enrolments.answer(NodeEnrolled(b"r", "alice", "SHA256:x", "zfed-key-c"))
    assert desk.sent == [(b"r", Enrolled(node="alice", coordinator="zfed-key-c"))]
    assert desk.told == [NodeEnrolledFact(node="alice", fingerprint="SHA256:x")]


def test_who_is_not_is_told_why_and_so_is_who_watches(desk):
    desk.enrolments.answer(EnrolmentRefused(b"r", "alice", "used"))
    assert desk.sent == [(b"r", Refused(about="hello", code="invitation", reason="used"))]
    assert desk.told == [NodeRefused(node="alice", code="invitation", reason="used")]


def test_what_could_not_be_written_is_not_answered_so_the_device_asks_again(desk):
    desk.enrolments.answer(EnrolmentUnwritten(b"r", "alice", "the disk is full"))
    assert desk.sent == []
    assert desk.told == [NotWritten(what="the enrolment of alice", reason="the disk is full")]
