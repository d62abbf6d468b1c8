"""Devices that use an invitation, as a coordinator without its files knows them: asked, not answered yet."""

from __future__ import annotations

from collections.abc import Callable

from zfed.facts import Fact, NodeEnrolled, NodeRefused, NotWritten
from zfed.nodes import coordinator_words
from zfed.wire.messages import Enrolled
from zfed.wire.session import Sessions
from zfed.wire.session_words import EnrolmentAsked


class Enrolments:
    """Makes a job of each ENROLL, and an answer of what became of it.

    Args:
        sessions: Through which a device is answered.
        effect: Where the jobs go.
        tell: Where facts go.
    """

    def __init__(
        self,
        sessions: Sessions,
        *,
        effect: Callable[[coordinator_words.EnrolNode], None],
        tell: Callable[[Fact], None],
    ) -> None:
        self._sessions = sessions
        self._effect = effect
        self._tell = tell
        self._asked: set[bytes] = set()

    def ask(self, event: EnrolmentAsked) -> None:
        """Have a device enrolled; one job at a time for each connection, however often it asks."""
        if event.route not in self._asked:
            self._asked.add(event.route)
            asked = event.enroll
            job = coordinator_words.EnrolNode(
                route=event.route, invitation=event.invitation, node=asked.node, key=asked.key
            )
            self._effect(job)

    def answer(self, result: coordinator_words.EnrolmentResult) -> None:
        """Tell the device, and who watches, what became of it."""
        self._asked.discard(result.route)
        match result:
            case coordinator_words.NodeEnrolled():
                enrolled = Enrolled(node=result.node, coordinator=result.coordinator)
                self._sessions.enrolled(result.route, enrolled)
                self._tell(NodeEnrolled(node=result.node, fingerprint=result.fingerprint))
            case coordinator_words.EnrolmentRefused():
                turned = self._sessions.not_enrolled(result.route, result.node, result.reason)
                self._tell(NodeRefused(node=turned.node, code=turned.code, reason=turned.reason))
            case coordinator_words.EnrolmentUnwritten():  # not answered, so it asks again
                self._tell(NotWritten(what=f"the enrolment of {result.node}", reason=result.reason))
