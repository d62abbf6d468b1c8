"""Upload slots: which offered updates are received now, and what became of each.

An offer waits until a slot is free. Its bytes are then pulled, checked while hot and, once all are here, as
a whole; the slot is free again when the update is folded into the sum, or dropped. A worker that goes away in
the middle keeps its slot for a while, so that it can go on where it stopped.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from zfed.compression import Encoding
from zfed.errors import RemoteProtocolError, UpdateError
from zfed.nodes.staging import StagedVector, Staging
from zfed.nodes.words import InspectUpdate, UpdateInspected
from zfed.params import ParameterLayout
from zfed.strategies import UpdateInspector
from zfed.wire.messages import AssignmentId, Update, Vector
from zfed.wire.transfer import Intake, Puller

RESUME_S = 30.0


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What an update must be to be worth receiving.

    Attributes:
        layouts: The layout that each vector must have, by its name.
        version: The model version it must start from.
        value_range: Largest |value| of a parameter.
        max_examples: Largest weight; 0 if the update carries no weight (a first model).
        encoding: How a `delta` must be encoded; None: as it is.
        trained_from: How the model that it was trained from had been encoded.
    """

    layouts: Mapping[str, ParameterLayout]
    version: int
    value_range: float
    max_examples: int
    encoding: Encoding | None = None
    trained_from: Encoding | None = None


@dataclass(frozen=True)
class Arrived:
    """An update is here whole, and its numbers are good."""

    staging: Staging


@dataclass(frozen=True)
class Unfit:
    """An update is not acceptable; it is dropped."""

    node: str
    assignment: AssignmentId
    code: str
    reason: str


IntakeEvent: TypeAlias = Arrived | InspectUpdate | Unfit
"""`InspectUpdate`: an update is here whole, but its numbers are encoded; `inspected` takes the answer."""


@dataclass(eq=False)
class _Offer:
    node: str
    update: Update
    wanted: Wanted
    puller: Puller


@dataclass
class UpdateIntake:
    """All updates on their way in.

    Args:
        slots: How many may be under way at the same time; may be raised later.
    """

    slots: int = 0
    _offers: OrderedDict[AssignmentId, _Offer] = field(default_factory=OrderedDict)  # oldest first
    _staged: dict[AssignmentId, Staging] = field(default_factory=dict)
    _folding: set[AssignmentId] = field(default_factory=set)

    def offer(
        self, node: str, update: Update, wanted: Wanted, puller: Puller, now: float
    ) -> list[IntakeEvent]:
        """Take an offer of a wanted update: begin, resume or queue it."""
        staging = self._staged.get(update.assignment)
        if staging is not None and staging.same_offer(update):
            staging.pull(puller, now)
            return []
        waiting = self._offers.get(update.assignment)
        if waiting is not None and waiting.node == node and waiting.update == update:
            return []
        self.drop(update.assignment)  # an offer of other bytes replaces the one before
        self._offers[update.assignment] = _Offer(node, update, wanted, puller)
        return self.fill(now)

    def fill(self, now: float) -> list[IntakeEvent]:
        """Begin with offers as long as slots are free."""
        events: list[IntakeEvent] = []
        while self._offers and len(self._staged) + len(self._folding) < self.slots:
            _, offer = self._offers.popitem(last=False)
            try:
                staging = _staging(offer.node, offer.update, offer.wanted)
            except UpdateError as error:
                events.append(Unfit(offer.node, offer.update.assignment, error.code, str(error)))
                continue
            self._staged[offer.update.assignment] = staging
            staging.pull(offer.puller, now)
        return events

    def received(self, node: str, intake: Intake) -> list[IntakeEvent]:
        """A chunk has come for an intake of this node; it may have been an update's last."""
        staging = next(
            (each for each in self._staged.values() if each.node == node and each.has(intake)), None
        )
        if staging is None or not staging.complete:
            return []
        try:
            staging.check()
        except (UpdateError, RemoteProtocolError) as error:
            return self._unfit(
                staging, error.code if isinstance(error, UpdateError) else "digest", str(error)
            )
        if job := staging.uninspected:
            return [job]
        del self._staged[staging.assignment]
        return [Arrived(staging)]

    def inspected(self, found: UpdateInspected) -> list[IntakeEvent]:
        """An encoded update was looked at; it may have been dropped or replaced since."""
        staging = self._staged.get(found.assignment)
        if staging is None or staging.vectors["delta"].vector.data.digest != found.digest:
            return []
        if found.code:
            return self._unfit(staging, found.code, found.reason)
        del self._staged[staging.assignment]
        return [Arrived(staging)]

    def _unfit(self, staging: Staging, code: str, reason: str) -> list[IntakeEvent]:
        del self._staged[staging.assignment]
        staging.discard()
        return [Unfit(staging.node, staging.assignment, code, reason)]

    def folding(self, assignment: AssignmentId) -> None:
        """An arrived update keeps its slot until it is folded."""
        self._folding.add(assignment)

    def folded(self, assignment: AssignmentId) -> None:
        """The update is in the sum: its slot is free. Call `fill` next."""
        self._folding.discard(assignment)

    def unavailable(self, node: str, blob_id: str) -> AssignmentId | None:
        """A node cannot send a blob any more; returns the assignment that is dropped for it."""
        for staging in self._staged.values():
            if staging.node == node and staging.names(blob_id):
                self.drop(staging.assignment)
                return staging.assignment
        return None

    def gone(self, node: str, resume_until: float) -> None:
        """A node went away: what it offered waits until `resume_until`."""
        for assignment in [key for key, offer in self._offers.items() if offer.node == node]:
            del self._offers[assignment]
        for staging in self._staged.values():
            if staging.node == node:
                staging.parked_until = resume_until

    def expire(self, now: float) -> None:
        """Drop what waited too long. Call `fill` next."""
        for staging in list(self._staged.values()):
            if staging.parked_until is not None and now >= staging.parked_until:
                self.drop(staging.assignment)

    def drop(self, assignment: AssignmentId) -> None:
        """Forget an update, wherever it is. Call `fill` next."""
        self._offers.pop(assignment, None)
        self._folding.discard(assignment)
        staging = self._staged.pop(assignment, None)
        if staging is not None:
            staging.discard()


def _staging(node: str, update: Update, wanted: Wanted) -> Staging:
    """Check an offer against what is wanted, before a byte of it is received."""
    if wanted.max_examples and not 1 <= update.examples <= wanted.max_examples:
        seen = (
            f"claims {update.examples} examples, allowed are 1 to {wanted.max_examples}, as declared in HELLO"
        )
        raise UpdateError(seen, code="examples")
    if update.version != wanted.version:
        seen = f"starts from version {update.version}, the round from {wanted.version}"
        raise UpdateError(seen, code="version")
    offered = {vector.name: vector for vector in update.vectors}
    vectors: dict[str, StagedVector] = {}
    for name, layout in wanted.layouts.items():
        if layout.nbytes:
            encoding = wanted.encoding if name == "delta" else None
            vector = _fitting(offered.get(name), name, layout, encoding)
            vectors[name] = StagedVector(vector, UpdateInspector(layout, wanted.value_range), encoding)
    return Staging(node, update, vectors, wanted.value_range, wanted.trained_from)


def _fitting(vector: Vector | None, name: str, layout: ParameterLayout, encoding: Encoding | None) -> Vector:
    """The offered vector, if it has the layout, encoding and size that are wanted."""
    if vector is None:
        raise UpdateError(f"has no vector {name!r}", code="layout")
    if vector.layout.digest != layout.digest:
        seen = f"vector {name!r} has layout {vector.layout.digest}, the run's is {layout.digest}"
        raise UpdateError(seen, code="layout")
    level, nbytes = (encoding.level, encoding.nbytes) if encoding is not None else ("none", layout.nbytes)
    if vector.encoding != level:
        seen = f"vector {name!r} is encoded as {vector.encoding!r}, agreed for this link was {level!r}"
        raise UpdateError(seen, code="encoding")
    if vector.data.bytes != nbytes:
        whose = "its layout" if encoding is None else f"its layout as {level}"
        seen = f"vector {name!r} has {vector.data.bytes} bytes, {whose} {nbytes}"
        raise UpdateError(seen, code="size")
    return vector
