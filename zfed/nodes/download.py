"""What an order needs before the task can begin: the model, and the vectors that come beside it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from zfed.compression import Encodings
from zfed.errors import LayoutError, RemoteProtocolError
from zfed.nodes.words import EncodedVector
from zfed.params import MAX_DESCRIPTION_BYTES, BufferPool, ParameterBuffer, ParameterLayout
from zfed.task import Array
from zfed.wire.codec import Buffer
from zfed.wire.messages import Blob, Evaluate, Initialize, Train, Vector
from zfed.wire.transfer import Intake, Write


class Download:
    """Everything one order names, found among what the node has already or to be pulled.

    Args:
        order: The order.
        layout: Layout of the task's model, local tensors included.
        cached: What earlier orders named, by its digest, as it came; what is not named again should be let go
            before this is made, so that a node never holds three models.
        encodings: Of this link.
        pool: Where the memory for the model comes from.

    Attributes:
        parameters: The model, complete once `complete`; local tensors are zero. None for INITIALIZE.
        encoded: What the moving tensors are to be decoded from, if they come in encoded form; until somebody
            does that, they are what stood in the memory.
        named: The model, the frozen tensors and the layouts of vectors by digest, as they come.
        vectors: The vectors beside it, by name; read-only.
        intakes: What is to be pulled.

    Raises:
        RemoteProtocolError: If a vector does not have the layout or size it must have, or is encoded though
            only a model may be.
        ConfigError: If the model's encoding is unknown here.
    """

    def __init__(
        self,
        order: Initialize | Train | Evaluate,
        layout: ParameterLayout,
        cached: Mapping[str, Array],
        encodings: Encodings,
        pool: BufferPool,
    ) -> None:
        self.parameters: ParameterBuffer | None = None
        self.encoded: EncodedVector | None = None
        self.named: dict[str, Array] = {}
        self.vectors: dict[str, ParameterBuffer] = {}
        self.intakes: list[Intake] = []
        self._layouts: dict[str, tuple[Vector, Array]] = {}
        if isinstance(order, Initialize):
            return
        self.parameters = pool.take(layout)
        self.parameters.local.data.fill(0)
        self._place_model(order.model, self.parameters.moving, cached, encodings)
        if order.frozen is not None:
            self._place(_exact(order.frozen), self.parameters.frozen, cached)
        elif len(layout.frozen.tensors):
            raise RemoteProtocolError(
                "the order names no tensors that never change; this node's model has some"
            )
        for vector in order.vectors if isinstance(order, Train) else []:
            self._plan_vector(vector, cached)

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
        return self._plan_data(*awaited)

    def _place_model(
        self, vector: Vector, part: ParameterBuffer, cached: Mapping[str, Array], encodings: Encodings
    ) -> None:
        encoding = encodings.at(vector.encoding)
        if encoding is None:
            self._place(vector, part, cached)
            return
        _check_layout(vector, part.layout)
        if vector.data.bytes != encoding.nbytes:
            seen = f"vector {vector.name!r} has {vector.data.bytes} bytes"
            raise RemoteProtocolError(f"{seen}, its layout as {encoding.level} {encoding.nbytes}")
        data = _known(vector.data, cached)
        if data is None:
            data = np.empty(encoding.nbytes, np.uint8)
            self.intakes.append(Intake(vector.data, _writer(data)))
        self.encoded = EncodedVector(encoding, data.data)
        self.named[vector.data.digest] = data

    def _place(self, vector: Vector, part: ParameterBuffer, cached: Mapping[str, Array]) -> None:
        _check_layout(vector, part.layout)
        _sized(part.layout, vector)
        known = _known(vector.data, cached)
        if known is not None:
            part.data[:] = known
        else:
            self.intakes.append(Intake(vector.data, _writer(part.data)))
        self.named[vector.data.digest] = part.data

    def _plan_vector(self, vector: Vector, cached: Mapping[str, Array]) -> None:
        """A vector's layout need not be the model's: unless known it is pulled first, and the data after."""
        _exact(vector)
        if not 0 < vector.layout.bytes <= MAX_DESCRIPTION_BYTES:
            seen = f"layout of vector {vector.name!r} has {vector.layout.bytes} bytes"
            raise RemoteProtocolError(f"{seen}, allowed are 1 to {MAX_DESCRIPTION_BYTES}")
        known = _known(vector.layout, cached)
        if known is not None:
            self._plan_data(vector, known)
            return
        description = np.zeros(vector.layout.bytes, np.uint8)
        self.intakes.append(Intake(vector.layout, _writer(description)))
        self._layouts[vector.layout.id] = (vector, description)

    def _plan_data(self, vector: Vector, description: Array) -> Intake:
        try:
            layout = ParameterLayout.from_bytes(description.tobytes())
        except LayoutError as error:
            raise RemoteProtocolError(f"vector {vector.name!r}: {error}") from error
        part = ParameterBuffer.zeros(_sized(layout, vector))
        self.vectors[vector.name] = part.read_only()
        self.named[vector.layout.digest] = description
        data = Intake(vector.data, _writer(part.data))
        self.intakes.append(data)
        return data


def _exact(vector: Vector) -> Vector:
    if vector.encoding != "none":
        seen = f"vector {vector.name!r} is encoded as {vector.encoding!r}"
        raise RemoteProtocolError(f"{seen}, only a model may be")
    return vector


def _check_layout(vector: Vector, layout: ParameterLayout) -> None:
    if vector.layout.digest != layout.digest:
        raise RemoteProtocolError(f"vector {vector.name!r} does not have the layout of this node's model")


def _known(blob: Blob, cached: Mapping[str, Array]) -> Array | None:
    known = cached.get(blob.digest)
    return known if known is not None and known.size == blob.bytes else None


def _sized(layout: ParameterLayout, vector: Vector) -> ParameterLayout:
    if vector.data.bytes != layout.nbytes:
        seen = f"vector {vector.name!r} has {vector.data.bytes} bytes, its layout {layout.nbytes}"
        raise RemoteProtocolError(seen)
    return layout


def _writer(target: Array) -> Write:
    def write(offset: int, data: Buffer) -> None:
        target[offset : offset + len(data)] = np.frombuffer(data, np.uint8)

    return write
