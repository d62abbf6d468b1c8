"""What passes between any node's logic and the pump that drives it: inputs and effects.

The logics (`coordinator_logic`, `member_logic`) are pure; a pump performs their effects with real sockets,
threads and files, a simulation with a virtual clock. What only one kind of node has to do stands in
`coordinator_words` and `member_words`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import msgspec

from zfed.checkpoint import SpilledPart
from zfed.compression import Encoding
from zfed.engine import Status
from zfed.facts import BestVersion, Fact
from zfed.params import ParameterBuffer
from zfed.transport import Refusal
from zfed.wire.codec import Buffer
from zfed.wire.roster import KeyId

Chunks: TypeAlias = "list[tuple[int, Buffer]] | SpilledPart"
"""(byte offset, bytes) slices that cover one vector, each byte once; may be gone through more than once."""


@dataclass(frozen=True)
class EncodedVector:
    """A vector of moving tensors in encoded form, from whomever."""

    encoding: Encoding
    data: Buffer

    def decode(self, out: ParameterBuffer | None = None) -> ParameterBuffer:
        """As `Encoding.decode`."""
        return self.encoding.decode(self.data, out)


# ---- inputs of every node ---------------------------------------------------------------------


class FramesArrived(msgspec.Struct, frozen=True):
    """A message came, as `zfed.transport.base.Arrival`; at a worker or evaluator `route` is empty."""

    route: bytes
    frames: list[Buffer]
    key: KeyId = ""


@dataclass(frozen=True)
class RouteGone:
    """There is no connection behind this route (any more): it broke, or was `refusal`."""

    route: bytes
    refusal: Refusal = ""


@dataclass(frozen=True)
class StopRequested:
    """Somebody wants this node to stop."""

    reason: str


@dataclass(frozen=True)
class TimePassed:
    """The time that `next_wake` asked for has come."""


# ---- effects of every node --------------------------------------------------------------------


class SendFrames(msgspec.Struct, frozen=True):
    """Send a message; the frames must not change any more."""

    route: bytes
    frames: list[Buffer]


@dataclass(frozen=True)
class TellFact:
    """Tell whoever watches."""

    fact: Fact


@dataclass(frozen=True)
class Finish:
    """The node's work is over. At a coordinator `evaluated` says whether any evaluation came back."""

    status: Status
    reason: str = ""
    rounds_done: int = 0
    rounds: int = 0
    version: int = 0
    evaluated: bool = False
    best: BestVersion | None = None
