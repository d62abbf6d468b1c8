"""What a node needs of a network: frames in, frames out, never a wait."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias

Buffer: TypeAlias = "bytes | memoryview"

Refusal: TypeAlias = Literal["", "not-enrolled", "handshake"]
"""Why a connection was not made: the other end does not know this node's key, or said nothing at all."""

MAX_FRAMES = 4
"""Frames of one message that are kept; of a longer one the rest is dropped while it is read."""


class Arrival(NamedTuple):
    """A message that has come.

    Attributes:
        route: Behind which it came; empty at any node but the coordinator.
        frames: The message.
        key: The public key that its sender proved, base64url; empty at any node but the coordinator, and
            where nothing is encrypted.
    """

    route: bytes
    frames: list[Buffer]
    key: str = ""


class Transport(Protocol):
    """One node's end of the network.

    A coordinator has many peers, each behind a route that the transport chose; any other node has one, behind
    the empty route.
    """

    @property
    def pollables(self) -> tuple[Any, ...]:
        """What a poller can wait on; none while there is nothing to wait for."""

    @property
    def broken(self) -> bool:
        """True once the one connection of a node is lost, and with it what was not received yet."""

    @property
    def look_again_s(self) -> float:
        """Seconds after which to ask whether it is `uneasy`."""

    @property
    def uneasy(self) -> bool:
        """True if there is something to attend to although nothing came."""

    @property
    def refusal(self) -> Refusal:
        """Why the one connection of a node was not made, if it was refused."""

    def attend(self) -> None:
        """See to all but messages: who asks to be let in, what became of a handshake."""

    def receive(self) -> Arrival | None:
        """The next message, or None if there is none now."""

    def send(self, route: bytes, frames: Sequence[Buffer]) -> bool:
        """Queue a message; False if nothing is connected behind this route (any more)."""

    def close(self) -> None:
        """Let the network go; what is queued is still sent for a short while."""
