"""Updates that the coordinator has not settled yet: kept, encoded, until it says what became of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from msgspec.structs import replace

from zfed.nodes.job import round_of, same_work
from zfed.nodes.member_words import ResultVector, WorkDone
from zfed.wire.messages import AssignmentId, Blob, Initialize, Train, Update, Vector
from zfed.wire.transfer import Shelf


@dataclass(frozen=True)
class _Held:
    update: Update
    order: Initialize | Train


class HeldUpdates:
    """The updates this node offers, and their bytes on the shelf.

    Args:
        shelf: Where the bytes of offered vectors lie until their update is settled.
    """

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._held: dict[AssignmentId, _Held] = {}

    def __len__(self) -> int:
        return len(self._held)

    def __iter__(self) -> Iterator[Update]:
        return (held.update for held in list(self._held.values()))

    def hold(self, order: Initialize | Train, done: WorkDone) -> Update:
        """Keep a result; returns its offer."""
        update = Update(
            assignment=order.assignment,
            version=order.version if isinstance(order, Train) else 0,
            vectors=[self._put(order.assignment, vector) for vector in done.vectors],
            examples=done.examples,
            steps=done.steps,
            seconds=done.seconds,
            metrics=done.metrics,
            limited=done.limited,
        )
        self._held[order.assignment] = _Held(update, order)
        return update

    def find(self, order: Initialize | Train) -> Update | None:
        """The update that an order asks for, if it was made already, maybe under another assignment.

        The same round from the same model trains the same: a round tried again needs no training. Nor is a
        first model made twice, which a coordinator asks for again if the first one did not come in time.
        """
        for held in self._held.values():
            if same_work(held.order, order):
                return held.update
        return None

    def rename(self, old: AssignmentId, new: AssignmentId) -> Update:
        """Offer an update under another assignment from now on."""
        held = self._held.pop(old)
        update = replace(held.update, assignment=new)
        self._held[new] = _Held(update, held.order)
        return update

    def round_of(self, assignment: AssignmentId) -> int:
        """The round of a held update, 0 if it is not held."""
        held = self._held.get(assignment)
        return round_of(held.order) if held else 0

    def nbytes_of(self, assignment: AssignmentId) -> int:
        """Bytes of a held update's vectors, 0 if it is not held."""
        held = self._held.get(assignment)
        return sum(vector.data.bytes for vector in held.update.vectors) if held else 0

    def settle(self, assignment: AssignmentId) -> bool:
        """Drop an update, whatever became of it; False if it was not held."""
        held = self._held.pop(assignment, None)
        if held is None:
            return False
        for vector in held.update.vectors:
            self._shelf.drop(vector.layout.id)
            self._shelf.drop(vector.data.id)
        return True

    @property
    def first_models(self) -> list[AssignmentId]:
        """The held updates that are first models."""
        return [assignment for assignment, held in self._held.items() if isinstance(held.order, Initialize)]

    def settle_before(self, version: int, counted: AssignmentId) -> list[AssignmentId]:
        """Drop what is decided once a version is there: the update that counted last, and all older ones."""
        settled = [
            assignment
            for assignment, held in self._held.items()
            if assignment == counted or held.update.version < version
        ]
        for assignment in settled:
            self.settle(assignment)
        return settled

    def _put(self, assignment: AssignmentId, vector: ResultVector) -> Vector:
        number = f"{assignment[0]}.{assignment[1]}"
        layout = Blob(
            id=f"layout:{number}:{vector.name}", bytes=vector.layout.nbytes, digest=vector.layout_digest
        )
        data = Blob(id=f"data:{number}:{vector.name}", bytes=vector.data.nbytes, digest=vector.data_digest)
        self._shelf.put(layout.id, vector.layout)
        self._shelf.put(data.id, vector.data)
        return Vector(name=vector.name, layout=layout, data=data, encoding=vector.encoding)
