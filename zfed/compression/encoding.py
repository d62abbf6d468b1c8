"""A whole update in encoded form, with error feedback.

What encoding loses is not lost: the sender adds it to its next update (Karimireddy et al., "Error feedback
fixes SignSGD and other gradient compression schemes", arXiv 1901.09847, algorithm 1), so the sum of all that
was decoded is the sum of all updates less the last residual.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from zfed.compression.codec import Bytes, Codec, Float32s
from zfed.compression.parts import Part, lay_out, matched
from zfed.errors import LayoutError, UpdateError
from zfed.params import ParameterBuffer, ParameterLayout, Segment, TensorKind
from zfed.params.dtypes import NUMPY_DTYPES
from zfed_kernels import accumulate, accumulate_exact, scan

Array: TypeAlias = NDArray[Any]
Buffer: TypeAlias = "bytes | bytearray | memoryview | Bytes"

_BORDER: Final = 8  # bytes: slices cut here cut no element of any dtype
_LARGEST: Final = np.finfo(np.float32).max


class Encoded(NamedTuple):
    """What `Encoding.encode` gives.

    Attributes:
        data: The encoded form.
        residual: What it lost, (residual_size,): to be given to the next `encode` if this update counts,
            and to be forgotten if it does not.
    """

    data: Bytes
    residual: Float32s


class Encoding:
    """How updates of one layout are encoded. Pure; may be used by many threads.

    Args:
        layout: Of a model; its moving tensors are what is encoded.
        codec: None leaves every byte as it is.
        exact: Names or shell patterns of tensors that must stay exact.

    Attributes:
        layout: Of the moving tensors.
        level: The codec's name; "none" if there is none.
        parts: In the order of the vector and of its encoded form.
        nbytes: Length of the encoded form.
        residual_size: Length of a residual: how many values are encoded.

    Raises:
        LayoutError: If a pattern fits no tensor.
    """

    def __init__(self, layout: ParameterLayout, codec: Codec | None, *, exact: Iterable[str] = ()) -> None:
        self.layout = layout.moving
        self.parts = lay_out(self.layout, codec, exact)
        self.level = codec.name if codec else "none"
        self._codec = codec
        last = self.parts[-1] if self.parts else None
        self.nbytes = last.at + last.nbytes if last else 0
        self.residual_size = sum(part.size for part in self.parts if part.tensor)

    def encode(self, delta: ParameterBuffer, residual: Float32s | None, *, key: int) -> Encoded:
        """Encode an update plus what earlier ones lost.

        Args:
            delta: In this layout.
            residual: Of the last update that counted; None for the first, or without error feedback.
            key: 0 to 2**64 - 1, another one for every update: seeds stochastic rounding.

        Raises:
            UpdateError: If a value to be encoded is not finite.
            LayoutError: If the update has another layout, or the residual another length.
        """
        if residual is not None and residual.shape != (self.residual_size,):
            raise LayoutError(f"residual of shape {residual.shape}, expected ({self.residual_size},)")
        lost = np.empty(self.residual_size, np.float32)
        return Encoded(self._encode(delta, residual, lost, key), lost)

    def encode_once(self, vector: ParameterBuffer, *, key: int) -> Bytes:
        """Encode a vector of which nothing is kept: what that loses is lost.

        Args:
            vector: In this layout.
            key: As for `encode`.

        Raises:
            UpdateError: If a value to be encoded is not finite.
            LayoutError: If the vector has another layout.
        """
        return self._encode(vector, None, None, key)

    def _encode(
        self, vector: ParameterBuffer, residual: Float32s | None, lost: Float32s | None, key: int
    ) -> Bytes:
        if vector.layout != self.layout:
            difference = self.layout.first_difference(vector.layout)
            raise LayoutError(f"vector does not fit its encoding: {difference}")
        data = np.zeros(self.nbytes, np.uint8)
        for stream, part in enumerate(self.parts):
            out = data[part.at : part.at + part.nbytes]
            raw = vector.data[part.start : part.stop]
            if self._codec is None or part.tensor is None:
                out[:] = raw
                continue
            values = raw.view(NUMPY_DTYPES[part.segment.dtype])
            place = slice(part.first, part.first + part.size)
            if residual is not None:
                values = values + residual[place]
            _check_finite(part.tensor.name, values)
            self._codec.encode(_float32(values), out, key=key, stream=stream)
            if lost is not None:
                self._codec.decode(out, lost[place])
                lost[place] = _float32(values - lost[place])
        return data

    def check(self, data: Buffer) -> None:
        """Make sure that bytes from whomever can be decoded; the numbers of exact parts are not looked at.

        Raises:
            UpdateError: If they cannot; it names the tensor. Its `code` is "size" (of the whole), "layout" or
                "not-finite".
        """
        raw = np.frombuffer(data, np.uint8)
        if raw.size != self.nbytes:
            raise UpdateError(f"encoded update has {raw.size} bytes, expected {self.nbytes}", code="size")
        end = 0
        for part in self.parts:
            if raw[end : part.at].any():
                raise UpdateError(f"bytes {end} to {part.at} are padding, expected zeros", code="layout")
            end = part.at + part.nbytes
            if self._codec is None or part.tensor is None:
                continue
            if fault := self._codec.fault(raw[part.at : end], part.size):
                name = part.tensor.name
                where = f"tensor {name!r}, encoded bytes {part.at} to {end}"
                raise UpdateError(f"{where}: {fault.text}", code=fault.code, tensor=name)

    def decode(self, data: Buffer, out: ParameterBuffer | None = None) -> ParameterBuffer:
        """The vector that the encoded form stands for.

        Args:
            data: The encoded form, from whomever.
            out: Where to write it, in this layout; a new buffer by default.

        Raises:
            UpdateError: If it cannot be decoded, as `check` says; nothing is written then.
        """
        self.check(data)
        raw = np.frombuffer(data, np.uint8)
        decoded = ParameterBuffer.zeros(self.layout) if out is None else out
        for part in self.parts:
            decoded.data[part.start : part.stop] = self.decode_part(raw, part)
        return decoded

    def touched(self, patterns: Iterable[str]) -> str:
        """The first tensor that is encoded although one of these names or shell patterns fits it, or "".

        Raises:
            LayoutError: If a pattern fits no tensor.
        """
        wanted = matched(self.layout, patterns)
        names = (part.tensor.name for part in self.parts if part.tensor)
        return next((name for name in names if name in wanted), "")

    def slices(self, data: Buffer) -> Iterator[tuple[int, Bytes]]:
        """Yield (offset, bytes) of the decoded vector, a part or so at a time, in order.

        For whoever looks at updates or sums them slice by slice: no slice cuts an element in two.

        Args:
            data: What has passed `check`.
        """
        raw = np.frombuffer(data, np.uint8)
        rest = np.empty(0, np.uint8)
        for part in self.parts:
            decoded = self.decode_part(raw, part)
            whole = np.concatenate([rest, decoded]) if rest.size else decoded
            start = part.start - rest.size
            border = whole.size if part is self.parts[-1] else whole.size // _BORDER * _BORDER
            if border:
                yield start, whole[:border]
            rest = whole[border:]

    def accumulate(
        self, data: Buffer, total: Callable[[Segment], Array], weight: float, grid: float | None
    ) -> None:
        """Add an update to a sum without decoding it first: the bits are those of adding what was decoded.

        Args:
            data: What has passed `check`.
            total: Gives the sum of a segment: float64 for floats (float32 will do without a grid), the
                segment's dtype for counters, of which the maximum is taken.
            weight: At least 0.
            grid: As in `zfed_kernels.accumulate_exact`; None to round no term.
        """
        raw = np.frombuffer(data, np.uint8)
        for part in self.parts:
            dtype = NUMPY_DTYPES[part.segment.dtype]
            first = (part.start - part.segment.start) // dtype.itemsize
            sums = total(part.segment)[first : first + part.size]
            piece = raw[part.at : part.at + part.nbytes]
            if self._codec is not None and part.tensor is not None:
                self._codec.accumulate(sums, piece, weight, grid)
            elif part.segment.kind is TensorKind.COUNTER:
                np.maximum(sums, piece.view(dtype), out=sums)
            elif grid is None:
                accumulate(sums, piece.view(dtype), weight)
            else:
                accumulate_exact(sums, piece.view(dtype), weight, grid)

    def decode_part(self, data: Buffer, part: Part) -> Bytes:
        """The bytes of one part in the vector; a view of `data` if the part is exact.

        Args:
            data: The whole encoded form, which has passed `check`.
            part: One of `parts`.
        """
        piece = np.frombuffer(data, np.uint8)[part.at : part.at + part.nbytes]
        if self._codec is None or part.tensor is None:
            return piece
        values = np.empty(part.size, np.float32)
        self._codec.decode(piece, values)
        return values.astype(NUMPY_DTYPES[part.segment.dtype], copy=False).view(np.uint8)


def _float32(values: Array) -> Float32s:
    """Rounded to float32; what is too large becomes its largest number."""
    if values.dtype == np.float32:
        return values
    with np.errstate(under="ignore"):
        return np.clip(values, -_LARGEST, _LARGEST).astype(np.float32)


def _check_finite(name: str, values: Array) -> None:
    bad = scan(values).first_bad
    if bad >= 0:
        seen = f"tensor {name!r} with its residual is {values[bad]:g}"
        raise UpdateError(f"{seen}, expected a finite number", code="not-finite", tensor=name)
