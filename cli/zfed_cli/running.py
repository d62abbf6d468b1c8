"""Runs one node in this process: signals stop it, and how it ended becomes an exit code."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from zfed.facts import RunEnded

_REASONS = {signal.SIGINT: "interrupted by Ctrl-C", signal.SIGTERM: "asked to end (SIGTERM)"}


class Node(Protocol):
    """A coordinator, worker or evaluator."""

    def run(self) -> RunEnded:
        """Run until the run is over."""

    def stop(self, reason: str) -> None:
        """End soon and cleanly; callable from any thread and from a signal handler."""


def run_node(node: Node) -> int:
    """Run a node and return the command's exit code.

    0 if the run was completed; 128 + the signal's number if one stopped this node (130 for Ctrl-C); else 1.
    """
    with stopped_by_signals(node.stop) as received:
        ended = node.run()
    if ended.status == "completed":
        return 0
    return 128 + received[0] if received else 1


@contextmanager
def stopped_by_signals(stop: Callable[[str], None]) -> Iterator[list[int]]:
    """While open, Ctrl-C and SIGTERM call `stop` with a reason; a second Ctrl-C interrupts at once.

    Yields the signals seen.
    """
    received: list[int] = []

    def handle(number: int, frame: FrameType | None) -> None:
        received.append(number)
        if received.count(signal.SIGINT) > 1:
            raise KeyboardInterrupt
        stop(_REASONS[signal.Signals(number)])

    before = {number: signal.signal(number, handle) for number in _REASONS}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
