"""What every codec does: numbers of one part of a tensor to bytes, and back.

The number of bytes follows from the number of values alone, so that both sides know where everything lies
before a byte has come.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Bytes: TypeAlias = NDArray[np.uint8]
Float32s: TypeAlias = NDArray[np.float32]
Totals: TypeAlias = NDArray[Any]
"""float64 or float32."""

DENSE_PART: Final = 2**18
"""Values that a codec which keeps every value takes at a time: 1 MiB of float32, well inside the L2 cache."""


class Fault(NamedTuple):
    """What is wrong with encoded bytes.

    Attributes:
        code: Refusal code: "layout" or "not-finite".
        text: What was seen and what was expected, without the tensor's name.
    """

    code: str
    text: str


class Codec(ABC):
    """Encodes float32 values, one part at a time. Holds no state.

    Attributes:
        name: As a configuration spells it; equal names encode alike.
        part_size: Most values in a part.
        alignment: Parts of an encoded vector start at a multiple of this many bytes.
    """

    name: str
    part_size: int = DENSE_PART
    alignment: int = 4

    @abstractmethod
    def nbytes(self, size: int) -> int:
        """How many bytes `size` values take."""

    @abstractmethod
    def encode(self, values: Float32s, out: Bytes, *, key: int, stream: int) -> None:
        """Write values (n,), all finite, to out (nbytes(n),).

        `key` and `stream`, each 0 to 2**64 - 1, choose the random numbers of a codec that draws any.
        """

    @abstractmethod
    def decode(self, data: Bytes, out: Float32s) -> None:
        """Write the values that `data` stands for to out (n,), which may hold anything."""

    @abstractmethod
    def fault(self, data: Bytes, size: int) -> Fault | None:
        """What makes `data`, nbytes(size) bytes from whomever, unfit to decode; None if nothing does."""

    @abstractmethod
    def accumulate(self, total: Totals, data: Bytes, weight: float, grid: float | None) -> None:
        """Add weight * values to total (n,), in place; the bits are those of adding the decoded values.

        Args:
            total: float64; without a grid float32 will do.
            data: Without fault.
            weight: At least 0.
            grid: What each term is rounded to a multiple of, see `zfed_kernels.accumulate_exact`; None to
                round no term.
        """
