"""What an order needs before the task can begin: the model, and the vectors that come beside it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from zfed.errors import LayoutError, RemoteProtocolError
from zfed.params import ParameterBuffer, ParameterLayout
from zfed.task import Array
from zfed.wire.codec import Buffer
from zfed.wire.messages import Evaluate, Initialize, Train, Vector
from zfed.wire.transfer import Intake, Write

MAX_VECTOR_LAYOUT_BYTES = 64 << 20


class Download:
    """Everything one order names, found among what the node has already or to be pulled.

    Args:
        order: The order.
        layout: Layout of the task's model, local tensors included.
        cached: Parts of earlier models by digest of their bytes; what is not named again should be let go
            before this is made, so that a node never holds three models.

    Attributes:
        parameters: The model, complete once `complete`; local tensors are zero. None for INITIALIZE.
        vectors: The vectors beside it, by name.
        intakes: What is to be pulled.

    Raises:
        RemoteProtocolError: If a vector does not have the layout or size it must have.
    """

    def __init__(
        self,
        order: Initialize | Train | Evaluate,
        layout: ParameterLayout,
        cached: Mapping[str, ParameterBuffer],
    ) -> None:
        self.parameters: ParameterBuffer | None = None
        self.vectors: dict[str, ParameterBuffer] = {}
        self.intakes: list[Intake] = []
        self._layouts: dict[str, tuple[Vector, Array]] = {}
        if isinstance(order, Initialize):
            return
        self.parameters = ParameterBuffer.zeros(layout)
        self._place(order.model, self.parameters.moving, cached)
        if order.frozen is not None:
            self._place(order.frozen, self.parameters.frozen, cached)
        for vector in order.vectors if isinstance(order, Train) else []:
            self._plan_vector(vector)

    @property
    def complete(self) -> bool:
        """True once everything is here."""
        return not self._layouts and all(intake.complete for intake in self.intakes)

    @property
    def nbytes(self) -> int:
        """Bytes to be pulled, as far as they are known."""
        return sum(intake.blob.bytes for intake in self.intakes)

    @property
    def nreceived(self) -> int:
        """Bytes that are here already."""
        return sum(intake.received for intake in self.intakes)

    def arrived(self, intake: Intake) -> Intake | None:
        """Check an intake that is complete; returns what is to be pulled because of it, if anything.

        Raises:
            RemoteProtocolError: If its bytes are not those offered.
        """
        intake.verify()
        awaited = self._layouts.pop(intake.blob.id, None)
        if awaited is None:
            return None
        vector, description = awaited
        try:
            layout = ParameterLayout.from_bytes(description.tobytes())
        except LayoutError as error:
            raise RemoteProtocolError(f"vector {vector.name!r}: {error}") from error
        part = self.vectors[vector.name] = ParameterBuffer.zeros(_sized(layout, vector))
        data = Intake(vector.data, _writer(part.data))
        self.intakes.append(data)
        return data

    def _place(self, vector: Vector, part: ParameterBuffer, cached: Mapping[str, ParameterBuffer]) -> None:
        if vector.layout.digest != part.layout.digest:
            raise RemoteProtocolError(f"vector {vector.name!r} does not have the layout of this node's model")
        _sized(part.layout, vector)
        known = cached.get(vector.data.digest)
        if known is not None:
            part.data[:] = known.data
        else:
            self.intakes.append(Intake(vector.data, _writer(part.data)))

    def _plan_vector(self, vector: Vector) -> None:
        """A vector's layout need not be the model's: it is pulled first, and the data after it."""
        if not 0 < vector.layout.bytes <= MAX_VECTOR_LAYOUT_BYTES:
            seen = f"layout of vector {vector.name!r} has {vector.layout.bytes} bytes"
            raise RemoteProtocolError(f"{seen}, allowed are 1 to {MAX_VECTOR_LAYOUT_BYTES}")
        description = np.zeros(vector.layout.bytes, np.uint8)
        self.intakes.append(Intake(vector.layout, _writer(description)))
        self._layouts[vector.layout.id] = (vector, description)


def _sized(layout: ParameterLayout, vector: Vector) -> ParameterLayout:
    if vector.data.bytes != layout.nbytes:
        seen = f"vector {vector.name!r} has {vector.data.bytes} bytes, its layout {layout.nbytes}"
        raise RemoteProtocolError(seen)
    return layout


def _writer(target: Array) -> Write:
    def write(offset: int, data: Buffer) -> None:
        target[offset : offset + len(data)] = np.frombuffer(data, np.uint8)

    return write
