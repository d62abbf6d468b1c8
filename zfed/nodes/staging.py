"""Updates on their way in: staged whole, checked while hot, never half counted."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from zfed.compression import Encoding
from zfed.nodes.words import Chunks, InspectUpdate
from zfed.strategies import UpdateInspector
from zfed.wire.codec import Buffer
from zfed.wire.messages import AssignmentId, Update, Vector
from zfed.wire.transfer import Intake, Puller


@dataclass
class StagedVector:
    """One vector of an update: its slices as they came, not copied, and their running check.

    What is encoded has no numbers to look at before it is whole: that is done beside the pump.
    """

    vector: Vector
    inspector: UpdateInspector
    encoding: Encoding | None = None
    chunks: Chunks = field(default_factory=list)
    intake: Intake = field(init=False)

    def __post_init__(self) -> None:
        self.intake = Intake(self.vector.data, self._write)

    def _write(self, offset: int, data: Buffer) -> None:
        if self.encoding is None:
            self.inspector.feed(offset, data)
        self.chunks.append((offset, data))


@dataclass
class Staging:
    """One update: from its offer until it is folded or dropped.

    `trained_from` is how the model had been encoded. `parked_until` is set while its worker is away: a worker
    that is back in time goes on where it stopped.
    """

    node: str
    update: Update
    vectors: dict[str, StagedVector]
    value_range: float = math.inf
    trained_from: Encoding | None = None
    parked_until: float | None = None
    _puller: Puller | None = None

    def pull(self, puller: Puller, now: float) -> None:
        """Fetch what is missing, from the session that this puller belongs to."""
        self.parked_until = None
        self._puller = puller
        for staged in self.vectors.values():
            if not staged.intake.complete:
                puller.start(staged.intake, now)

    def discard(self) -> None:
        """Fetch no more, and let go of what is here."""
        for staged in self.vectors.values():
            staged.chunks.clear()
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
        chunks = list(delta.chunks)  # ours may be cleared while a thread looks at them
        digest = delta.vector.data.digest
        return InspectUpdate(self.assignment, digest, chunks, delta.encoding, self.value_range)

    @property
    def assignment(self) -> AssignmentId:
        """The assignment this is the result of."""
        return self.update.assignment

    @property
    def complete(self) -> bool:
        """True once every byte of every vector is here."""
        return all(staged.intake.complete for staged in self.vectors.values())

    @property
    def nbytes(self) -> int:
        """Bytes of all vectors together."""
        return sum(staged.vector.data.bytes for staged in self.vectors.values())

    def same_offer(self, update: Update) -> bool:
        """True if another offer for this assignment is of the very same bytes."""
        offered = {vector.name: vector.data.digest for vector in update.vectors}
        return all(offered.get(name) == staged.vector.data.digest for name, staged in self.vectors.items())

    def check(self) -> None:
        """Check a complete update as a whole, but for the numbers of an encoded vector.

        Raises:
            RemoteProtocolError: If a digest is not the one offered.
            UpdateError: If its numbers are not acceptable.
        """
        for staged in self.vectors.values():
            staged.intake.verify()
            if staged.encoding is None:
                staged.inspector.verdict()
