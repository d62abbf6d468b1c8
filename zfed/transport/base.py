"""What a node needs of a network: frames in, frames out, never a wait."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias

Buffer: TypeAlias = "bytes | memoryview"

MAX_FRAMES = 4
"""Frames of one message that are kept; of a longer one the rest is dropped while it is read."""


class Transport(Protocol):
    """One node's end of the network.

    A coordinator has many peers, each behind a route that the transport chose; any other node has one, behind
    the empty route.
    """

    @property
    def pollable(self) -> Any | None:
        """What a poller can wait on for input; None while there is nothing to wait for."""

    @property
    def broken(self) -> bool:
        """True once the one connection of a node is lost, and with it what was not received yet."""

    def receive(self) -> tuple[bytes, list[Buffer]] | None:
        """The next message as (route, frames), or None if there is none now."""

    def send(self, route: bytes, frames: Sequence[Buffer]) -> bool:
        """Queue a message; False if nothing is connected behind this route (any more)."""

    def close(self) -> None:
        """Let the network go; what is queued is still sent for a short while."""
