"""Updates on their way in: staged whole, checked while hot, never half counted."""

from __future__ import annotations

from dataclasses import dataclass, field

from zfed.checkpoint import SpillFile
from zfed.compression import Encoding
from zfed.errors import RemoteProtocolError, UpdateError
from zfed.nodes.coordinator_words import InspectUpdate
from zfed.nodes.spill import InMemory, OnDisk, Spill
from zfed.nodes.words import Chunks
from zfed.strategies import Bounds, UpdateInspector, Verdict
from zfed.wire.codec import Buffer
from zfed.wire.messages import AssignmentId, Update, Vector
from zfed.wire.transfer import Intake, Puller


@dataclass(eq=False)
class StagedVector:
    """One vector of an update: its slices, in memory as they came or on disk, and their running check.

    What is encoded has no numbers to look at before it is whole: that is done beside the pump.
    """

    vector: Vector
    inspector: UpdateInspector
    place: InMemory | OnDisk
    encoding: Encoding | None = None
    intake: Intake = field(init=False)

    def __post_init__(self) -> None:
        inspector, place, plain = self.inspector, self.place, self.encoding is None

        def write(offset: int, data: Buffer) -> None:  # without self: no cycle keeps a dropped update alive
            if plain:
                inspector.feed(offset, data)
            place.put(offset, data)

        self.intake = Intake(self.vector.data, write)

    @property
    def chunks(self) -> Chunks:
        """All slices of a complete vector."""
        return self.place.chunks


@dataclass
class Staging:
    """One update: from its offer until it is folded or dropped. `spill` is its file, if it has one.

    `trained_from` is how the model had been encoded; `largest` the largest |value| of its numbers and `norm`
    that of what was learned, once they were checked. `parked_until` is set while its worker is away: a worker
    that is back in time goes on where it stopped.
    """

    node: str
    update: Update
    vectors: dict[str, StagedVector]
    bounds: Bounds
    trained_from: Encoding | None = None
    spill: Spill | None = None
    parked_until: float | None = None
    largest: float = 0.0
    norm: float = 0.0
    _puller: Puller | None = None

    def pull(self, puller: Puller, now: float) -> None:
        """Fetch what is missing, from the session that this puller belongs to."""
        self.parked_until = None
        self._puller = puller
        if self.spill is not None:
            self.spill.puller = puller
            if not self.spill.is_open:
                return
        for staged in self.vectors.values():
            if not staged.intake.complete:
                puller.start(staged.intake, now)

    def opened(self, file: SpillFile, now: float) -> None:
        """There is room for the update on disk: fetch it, unless its worker is away."""
        if self.spill is not None:
            self.spill.opened(file)
        if self._puller is not None and self.parked_until is None:
            self.pull(self._puller, now)

    def written(self, now: float) -> None:
        """Some of it has been written to its file."""
        if self.spill is not None:
            self.spill.written(now)

    def spills(self, number: int) -> bool:
        """True if this is the number of its file."""
        return self.spill is not None and self.spill.number == number

    def discard(self) -> None:
        """Fetch no more, and let go of what is here."""
        for staged in self.vectors.values():
            staged.place.clear()
        if self.spill is not None:
            self.spill.release()
        if self._puller is not None:
            for staged in self.vectors.values():
                self._puller.stop(staged.vector.data.id)

    def has(self, intake: Intake) -> bool:
        """True if this is the intake of one of the vectors."""
        return any(staged.intake is intake for staged in self.vectors.values())

    def names(self, blob_id: str) -> bool:
        """True if this is the blob of one of the vectors."""
        return any(staged.vector.data.id == blob_id for staged in self.vectors.values())

    @property
    def uninspected(self) -> InspectUpdate | None:
        """The job of looking at numbers that are encoded; None if there are none."""
        delta = self.vectors.get("delta")
        if delta is None or delta.encoding is None:
            return None
        digest = delta.vector.data.digest
        return InspectUpdate(self.assignment, digest, delta.chunks, delta.encoding, self.bounds)

    @property
    def assignment(self) -> AssignmentId:
        """The assignment this is the result of."""
        return self.update.assignment

    @property
    def complete(self) -> bool:
        """True once every byte of every vector is here, and where it is to lie."""
        return (self.spill is None or self.spill.is_written) and all(
            staged.intake.complete for staged in self.vectors.values()
        )

    @property
    def nbytes(self) -> int:
        """Bytes of all vectors together."""
        return sum(staged.vector.data.bytes for staged in self.vectors.values())

    def same_offer(self, update: Update) -> bool:
        """True if another offer for this assignment is of the very same blobs.

        The same bytes may have another name: those of a worker that died, and did its work again.
        """
        offered = {vector.name: vector.data for vector in update.vectors}
        return all(offered.get(name) == staged.vector.data for name, staged in self.vectors.items())

    def check(self) -> None:
        """Check a complete update as a whole, but for the numbers of an encoded vector.

        Raises:
            UpdateError: If a digest is not the one offered, or its numbers are not acceptable.
        """
        for staged in self.vectors.values():
            try:
                staged.intake.verify()
            except RemoteProtocolError as error:
                seen, limit = staged.intake.digest, staged.vector.data.digest
                raise UpdateError(str(error), code="digest", seen=seen, limit=limit) from error
            if staged.encoding is None:
                self.measured(staged.inspector.verdict(again=staged.place.at_hand))

    def measured(self, verdict: Verdict) -> None:
        """The numbers of a vector are good."""
        self.largest = max(self.largest, verdict.largest)
        self.norm = max(self.norm, verdict.norm)
