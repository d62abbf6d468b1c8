"""Upload slots: which offered updates are received now, and what became of each.

An offer waits until a slot is free. Its bytes are then pulled, checked while hot and, once all are here, as
a whole; the slot is free again when the update is folded into the sum, or dropped. A worker that goes away in
the middle keeps its slot for a while, so that it can go on where it stopped.

Slots in memory are given first. If none has come free for `SPILL_AFTER_S`, the links of those who have them
are slow, and who waits is received into a file meanwhile. Between fast links the wait would be shorter than
the way over the disk.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from zfed.compression import Encoding
from zfed.config.train import steps_asked
from zfed.errors import Flaw, UpdateError
from zfed.nodes.coordinator_words import (
    InspectUpdate,
    SpillFailed,
    SpillJob,
    SpillOpened,
    SpillResult,
    SpillWritten,
    UpdateInspected,
)
from zfed.nodes.spill import InMemory, OnDisk, Spill
from zfed.nodes.staging import StagedVector, Staging
from zfed.params import ParameterLayout
from zfed.strategies import Bounds, UpdateInspector
from zfed.wire.messages import AssignmentId, Update, Vector
from zfed.wire.transfer import Intake, Puller

SPILL_AFTER_S = 5.0
SPILL_RETRY_S = 30.0


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What an update must be to be worth receiving.

    Attributes:
        layouts: The layout that each vector must have, by its name.
        version: The model version it must start from.
        bounds: What its numbers must keep within; what never changes (`frozen`) must only be finite.
        max_examples: Largest weight; 0 if the update carries no weight (a first model).
        encoding: How a `delta` must be encoded; None: as it is.
        trained_from: How the model that it was trained from had been encoded.
        train: The `[train]` table that it must keep to.
    """

    layouts: Mapping[str, ParameterLayout]
    version: int
    bounds: Bounds
    max_examples: int
    encoding: Encoding | None = None
    trained_from: Encoding | None = None
    train: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Arrived:
    """An update is here whole, and its numbers are good."""

    staging: Staging


@dataclass(frozen=True)
class Unfit:
    """An update is not acceptable; it is dropped."""

    node: str
    assignment: AssignmentId
    flaw: Flaw


@dataclass(frozen=True)
class NoRoom:
    """The disk has no room for an update; said once until it has again."""

    reason: str


@dataclass(frozen=True)
class Unstored:
    """An update could not be stored and was dropped; its worker still has it, so offer it again."""

    node: str
    update: Update


IntakeEvent: TypeAlias = Arrived | InspectUpdate | Unfit | NoRoom | Unstored
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
        order_spill: Takes jobs on files; `spilled` is told what became of them.

    Attributes:
        slots: How many may be in memory at the same time.
        disk_slots: How many may be in files beside those.
        disk_spare: Bytes of the disk to leave free.
    """

    order_spill: Callable[[SpillJob], None]
    slots: int = 0
    disk_slots: int = 0
    disk_spare: int = 0
    _offers: OrderedDict[AssignmentId, _Offer] = field(default_factory=OrderedDict)  # oldest first
    _staged: dict[AssignmentId, Staging] = field(default_factory=dict)
    _folding: dict[AssignmentId, Staging] = field(default_factory=dict)
    _spills: int = 0
    _spill_from: float = 0.0
    _disk_failed: bool = False

    @property
    def backlog(self) -> tuple[int, int]:
        """How many updates have a slot, and how many wait for one."""
        return len(self._staged) + len(self._folding), len(self._offers)

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
        while self._offers and (self._memory_is_free or self._disk_may_do(now)):
            _, offer = self._offers.popitem(last=False)
            try:
                fitting = _fitting(offer.update, offer.wanted)
            except UpdateError as error:
                events.append(Unfit(offer.node, offer.update.assignment, error.flaw))
                continue
            staging = self._staging(offer, fitting, now)
            self._staged[offer.update.assignment] = staging
            staging.pull(offer.puller, now)
        return events

    @property
    def _memory_is_free(self) -> bool:
        # Who holds a slot is only counted where it matters: of a small model there are thousands of slots
        held = len(self._staged) + len(self._folding)
        return held < self.slots or self._held(on_disk=False) < self.slots

    def _disk_may_do(self, now: float) -> bool:
        return now >= self._spill_from and self._held(on_disk=True) < self.disk_slots

    def _held(self, *, on_disk: bool) -> int:
        held = (*self._staged.values(), *self._folding.values())
        return sum((staging.spill is not None) == on_disk for staging in held)

    def _staging(self, offer: _Offer, fitting: Mapping[str, Vector], now: float) -> Staging:
        """A place for an update whose vectors are as wanted: in memory if it is free, else on disk."""
        spill, wanted = None, offer.wanted
        if self._memory_is_free:
            self._spill_from = max(self._spill_from, now + SPILL_AFTER_S)
        else:
            self._spills += 1
            nbytes = sum(vector.data.bytes for vector in fitting.values())
            spill = Spill(self._spills, nbytes, self.disk_spare, self.order_spill)
        vectors: dict[str, StagedVector] = {}
        start = 0
        for name, vector in fitting.items():
            place = InMemory() if spill is None else OnDisk(spill, start, vector.data.bytes)
            bounds = Bounds() if name == "frozen" else wanted.bounds
            inspector = UpdateInspector(wanted.layouts[name], bounds)
            encoding = wanted.encoding if name == "delta" else None
            vectors[name] = StagedVector(vector, inspector, place, encoding)
            start += vector.data.bytes
        return Staging(offer.node, offer.update, vectors, wanted.bounds, wanted.trained_from, spill)

    def received(self, node: str, intake: Intake) -> list[IntakeEvent]:
        """A chunk has come for an intake of this node; it may have been an update's last."""
        staging = next(
            (each for each in self._staged.values() if each.node == node and each.has(intake)), None
        )
        return [] if staging is None else self._arrived(staging)

    def spilled(self, result: SpillResult, now: float) -> list[IntakeEvent]:
        """A job on a file is done; what it was for may have been dropped since."""
        staging = next((each for each in self._staged.values() if each.spills(result.number)), None)
        if staging is None:
            return []
        match result:
            case SpillOpened():
                self._disk_failed = False
                staging.opened(result.file, now)
                return []
            case SpillWritten():
                staging.written(now)
                return self._arrived(staging)
            case SpillFailed():
                return self._unstored(staging, result.reason, now)

    def _arrived(self, staging: Staging) -> list[IntakeEvent]:
        if not staging.complete:
            return []
        try:
            staging.check()
        except UpdateError as error:
            return self._unfit(staging, error.flaw)
        if job := staging.uninspected:
            return [job]
        del self._staged[staging.assignment]
        return [Arrived(staging)]

    def inspected(self, found: UpdateInspected) -> list[IntakeEvent]:
        """An encoded update was looked at; it may have been dropped or replaced since."""
        staging = self._staged.get(found.assignment)
        if staging is None or staging.vectors["delta"].vector.data.digest != found.digest:
            return []
        if isinstance(found.found, Flaw):
            return self._unfit(staging, found.found)
        staging.measured(found.found)
        del self._staged[staging.assignment]
        return [Arrived(staging)]

    def _unfit(self, staging: Staging, flaw: Flaw) -> list[IntakeEvent]:
        del self._staged[staging.assignment]
        staging.discard()
        return [Unfit(staging.node, staging.assignment, flaw)]

    def _unstored(self, staging: Staging, reason: str, now: float) -> list[IntakeEvent]:
        self.drop(staging.assignment)
        self._spill_from = now + SPILL_RETRY_S
        told: list[IntakeEvent] = [] if self._disk_failed else [NoRoom(reason)]
        self._disk_failed = True
        return [*told, Unstored(staging.node, staging.update)]

    def has(self, assignment: AssignmentId) -> bool:
        """True if this update is here, on its way or waits for a slot."""
        return any(assignment in known for known in (self._offers, self._staged, self._folding))

    def folding(self, staging: Staging) -> None:
        """An arrived update keeps its slot until it is folded."""
        self._folding[staging.assignment] = staging

    def folded(self, assignment: AssignmentId) -> None:
        """The update is in the sum: its slot is free. Call `fill` next."""
        staging = self._folding.pop(assignment, None)
        if staging is not None:
            staging.discard()

    def unavailable(self, node: str, blob_id: str) -> AssignmentId | None:
        """A node cannot send a blob any more; returns the assignment that is dropped for it."""
        for staging in self._staged.values():
            if staging.node == node and staging.names(blob_id):
                self.drop(staging.assignment)
                return staging.assignment
        return None

    def gone(self, node: str, resume_until: float | None) -> None:
        """A node went away: what it offered waits until `resume_until`; None: nothing of it is wanted now."""
        for assignment in [key for key, offer in self._offers.items() if offer.node == node]:
            del self._offers[assignment]
        for assignment, staging in list(self._staged.items()):
            if staging.node == node:
                staging.parked_until = resume_until
                if resume_until is None:
                    self.drop(assignment)

    def expire(self, now: float) -> None:
        """Drop what waited too long. Call `fill` next."""
        for staging in list(self._staged.values()):
            if staging.parked_until is not None and now >= staging.parked_until:
                self.drop(staging.assignment)

    def drop(self, assignment: AssignmentId) -> None:
        """Forget an update, unless it is being folded: then its slot is free when that is done.

        Call `fill` next.
        """
        self._offers.pop(assignment, None)
        staging = self._staged.pop(assignment, None)
        if staging is not None:
            staging.discard()


def _fitting(update: Update, wanted: Wanted) -> dict[str, Vector]:
    """The vectors that are wanted of an offer, checked before a byte is received or room for it is taken."""
    if wanted.max_examples and not 1 <= update.examples <= wanted.max_examples:
        allowed = f"1 to {wanted.max_examples}"
        reason = f"claims {update.examples} examples, allowed are {allowed}, as declared in HELLO"
        raise UpdateError(reason, code="examples", seen=update.examples, limit=allowed)
    if update.version != wanted.version:
        reason = f"starts from version {update.version}, the round from {wanted.version}"
        raise UpdateError(reason, code="version", seen=update.version, limit=wanted.version)
    _check_steps(update, wanted)
    offered = {vector.name: vector for vector in update.vectors}
    vectors = {}
    for name, layout in wanted.layouts.items():
        if layout.nbytes:
            encoding = wanted.encoding if name == "delta" else None
            vectors[name] = _fitting_vector(offered.get(name), name, layout, encoding)
    return vectors


def _check_steps(update: Update, wanted: Wanted) -> None:
    """Hold an update that says how many steps it took to those that were asked for.

    They may be as many as the node's examples make, or the update's, of which there may be fewer.
    """
    most = steps_asked(wanted.train, wanted.max_examples)
    if most is None or not update.steps:
        return
    least = 1 if update.limited else steps_asked(wanted.train, update.examples) or 0
    if not least <= update.steps <= most:
        allowed = str(most) if least == most else f"{least} to {most}"
        reason = (
            f"took {update.steps} steps on {update.examples} examples, [train] asks for {allowed}: its task "
            "must keep to batches, epochs and batch_size, or report 0 steps if it counts otherwise"
        )
        raise UpdateError(reason, code="configuration", seen=update.steps, limit=allowed)


def _fitting_vector(
    vector: Vector | None, name: str, layout: ParameterLayout, encoding: Encoding | None
) -> Vector:
    """The offered vector, if it has the layout, encoding and size that are wanted."""
    if vector is None:
        raise UpdateError(f"has no vector {name!r}", code="layout")
    digest = vector.layout.digest
    if digest != layout.digest:
        reason = f"vector {name!r} has layout {digest}, the run's is {layout.digest}"
        raise UpdateError(reason, code="layout", seen=digest, limit=layout.digest)
    level, nbytes = (encoding.level, encoding.nbytes) if encoding is not None else ("none", layout.nbytes)
    if vector.encoding != level:
        reason = f"vector {name!r} is encoded as {vector.encoding!r}, agreed for this link was {level!r}"
        raise UpdateError(reason, code="encoding", seen=vector.encoding, limit=level)
    if vector.data.bytes != nbytes:
        whose = "its layout" if encoding is None else f"its layout as {level}"
        reason = f"vector {name!r} has {vector.data.bytes} bytes, {whose} {nbytes}"
        raise UpdateError(reason, code="size", seen=vector.data.bytes, limit=nbytes)
    return vector
