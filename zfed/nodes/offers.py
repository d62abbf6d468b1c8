"""What a node has made and its coordinator has not settled: told, and told again, until it is."""

from __future__ import annotations

from collections.abc import Callable

from zfed.errors import RemoteProtocolError
from zfed.nodes.held_updates import HeldUpdates
from zfed.nodes.member_words import Phase, WorkDone
from zfed.wire.codec import Buffer
from zfed.wire.messages import (
    AnyMessage,
    AssignmentId,
    Blob,
    Chunk,
    Evaluate,
    Evaluated,
    Initialize,
    Pull,
    Refused,
    Train,
    Update,
)
from zfed.wire.transfer import Shelf


class Offers:
    """Updates until they are settled, and results of evaluations until they are accepted.

    Args:
        send: Sends a message within the session; without one it is lost, and sent again in the next.

    Attributes:
        sent_bytes: Bytes that were pulled so far.
    """

    def __init__(self, send: Callable[[AnyMessage, Buffer | None], None]) -> None:
        self._send = send
        self._shelf = Shelf()
        self._held = HeldUpdates(self._shelf)
        self._uploading: set[AssignmentId] = set()
        self._results: dict[AssignmentId, Evaluated] = {}
        self.sent_bytes = 0

    def __len__(self) -> int:
        return len(self._held)

    @property
    def uploads(self) -> list[Phase]:
        """Updates that are offered and not accepted yet."""
        return [
            Phase(
                "upload",
                assignment,
                self._held.round_of(assignment),
                bytes=self._held.nbytes_of(assignment),
            )
            for assignment in self._uploading
        ]

    def put(self, blob: Blob, data: Buffer) -> None:
        """Offer bytes for as long as this node is there."""
        self._shelf.put(blob.id, data)

    def round_of(self, assignment: AssignmentId) -> int:
        """The round of an update, 0 if there is none."""
        return self._held.round_of(assignment)

    # ---- what is made ---------------------------------------------------------------------------

    def offer(self, order: Initialize | Train, done: WorkDone) -> None:
        """Offer what came of an order."""
        self._offer(self._held.hold(order, done))

    def report(self, order: Evaluate, done: WorkDone) -> None:
        """Tell what came of an evaluation."""
        result = Evaluated(
            assignment=order.assignment, examples=done.examples, seconds=done.seconds, metrics=done.metrics
        )
        self._results[order.assignment] = result
        self._send(result, None)

    # ---- what is asked again --------------------------------------------------------------------

    def offer_all(self) -> None:
        """A session is open: its coordinator may not know of anything."""
        for update in self._held:
            self._offer(update)
        for result in self._results.values():
            self._send(result, None)

    def offer_again(self, order: Initialize | Train) -> AssignmentId | None:
        """Answer an order with an update that is here already, under the order's number.

        Returns the number that it had, or None if there is none.
        """
        update = self._held.find(order)
        if update is None:
            return None
        before = update.assignment
        if before != order.assignment:
            self._uploading.discard(before)
            update = self._held.rename(before, order.assignment)
        self._offer(update)
        return before

    def report_again(self, assignment: AssignmentId) -> bool:
        """Answer an order with a result that is here already; False if there is none."""
        result = self._results.get(assignment)
        if result is not None:
            self._send(result, None)
        return result is not None

    def answer(self, pull: Pull) -> int:
        """Answer a PULL; returns the bytes that are sent."""
        try:
            data = self._shelf.take(pull)
        except RemoteProtocolError as error:
            data, reason = None, str(error)
        else:
            reason = f"{pull.blob} is not held here any more"
        if data is None:
            self._send(Refused(about="blob", code="gone", reason=reason, blob=pull.blob), None)
            return 0
        self._send(Chunk(blob=pull.blob, offset=pull.offset), data)
        self.sent_bytes += len(data)
        return len(data)

    # ---- what becomes of it ---------------------------------------------------------------------

    def accepted(self, assignment: AssignmentId) -> bool:
        """It has arrived. An update stays until it is settled; True if this was an evaluation's result."""
        self._uploading.discard(assignment)
        return self._results.pop(assignment, None) is not None

    def settle(self, assignment: AssignmentId) -> bool:
        """Nobody needs it any more; True if it was an update."""
        self.accepted(assignment)
        return self._held.settle(assignment)

    @property
    def first_models(self) -> list[AssignmentId]:
        """The updates that are first models."""
        return self._held.first_models

    def settle_before(self, version: int, counted: AssignmentId) -> None:
        """Drop what is decided once a version is there: the update that counted last, and all older ones."""
        self._uploading.difference_update(self._held.settle_before(version, counted))

    def disconnected(self) -> None:
        """Nothing is under way."""
        self._uploading.clear()

    def forget(self) -> list[AssignmentId]:
        """Drop everything; returns the numbers of the updates."""
        updates = [update.assignment for update in self._held]
        for assignment in [*updates, *self._results]:
            self.settle(assignment)
        return updates

    def _offer(self, update: Update) -> None:
        self._send(update, None)
        self._uploading.add(update.assignment)
