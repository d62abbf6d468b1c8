"""No more than so many bytes a second, shared fairly by all who want to send.

A node paces what makes bytes move: the answers to PULLs for what leaves it, its own PULLs for what comes to
it. Everything else, PING and orders above all, is never paced: it goes past what waits here.
"""

from __future__ import annotations

import heapq
import math
from typing import Final, Protocol

from zfed.wire.credit import SMALL_CHUNK_BYTES
from zfed.wire.messages import MAX_CHUNK_BYTES

BURST_S: Final = 0.25
"""How far a pace may fall behind and catch up, where a process was woken late or a peer took its time."""


class Flow(Protocol):
    """One of those who share a pace: all that goes to one peer, or comes from it."""

    def send_next(self, now: float) -> int:
        """Send the next piece; returns its bytes, or 0 if there is none (more) to send."""


class Pacer:
    """Lets flows send in turn, at most `bytes_per_s` together.

    In any t seconds at most `bytes_per_s * (t + BURST_S)` and one piece are sent. Of flows that have
    something to send, the one that was given least goes next: in bytes, not in pieces. A flow that had
    nothing for a while gets its share from then on, and not what it left to others (Goyal, Vin and Cheng,
    Start-time fair queueing, 1996).

    Args:
        bytes_per_s: The pace; 0: no limit.
        largest: Bytes that one piece may have, whatever the pace.

    Attributes:
        largest: Bytes that one piece should have at most, so that turns are short.
    """

    def __init__(self, bytes_per_s: float = 0.0, largest: int = MAX_CHUNK_BYTES) -> None:
        self._bytes_per_s = bytes_per_s
        pieces = max(int(bytes_per_s * BURST_S / 4) // SMALL_CHUNK_BYTES, 1)
        self.largest = min(pieces * SMALL_CHUNK_BYTES, largest) if bytes_per_s else largest
        self._free_at = -math.inf  # when the next piece may be sent
        self._queue: list[tuple[float, int, Flow]] = []  # heap, by what each was given
        self._given: dict[Flow, float] = {}
        self._joined = 0
        self._queued: set[Flow] = set()
        self._served = 0.0  # what the flow that sent last had been given before

    @property
    def next_wake(self) -> float:
        """When `run` has something to do."""
        return self._free_at if self._queue else math.inf

    def join(self, flow: Flow, now: float) -> None:
        """This flow may have something to send; it is asked as soon as it is its turn."""
        if not self._bytes_per_s:
            while flow.send_next(now):
                pass
            return
        if not self._queue and now - self._free_at > BURST_S:
            self._free_at = (
                now  # nothing was sent for a while, and nobody waited: there is nothing to catch up
            )
        if flow not in self._queued:
            self._queued.add(flow)
            self._push(flow, max(self._given.get(flow, 0.0), self._served))
        self.run(now)

    def leave(self, flow: Flow) -> None:
        """This flow is over."""
        self._given.pop(flow, None)
        if flow in self._queued:
            self._queued.remove(flow)
            self._queue = [entry for entry in self._queue if entry[2] is not flow]
            heapq.heapify(self._queue)

    def run(self, now: float) -> None:
        """Let flows send as long as the pace allows."""
        while self._queue and now >= self._free_at:
            given, _, flow = heapq.heappop(self._queue)
            sent = flow.send_next(now)
            if sent:
                self._free_at = max(self._free_at, now - BURST_S) + sent / self._bytes_per_s
                self._served = given
                self._push(flow, given + sent)
            else:
                self._queued.remove(flow)

    def _push(self, flow: Flow, given: float) -> None:
        self._given[flow] = given
        self._joined += 1  # of those who were given the same, who came first is first
        heapq.heappush(self._queue, (given, self._joined, flow))


class Limits:
    """The paces of both directions of a node.

    Args:
        up: MB (10^6 bytes) a second of models and updates that leave it; 0: no limit.
        down: The same of what comes to it.
        chunk_bytes: The most that one PULL asks for.
    """

    def __init__(self, up: float = 0.0, down: float = 0.0, chunk_bytes: int = MAX_CHUNK_BYTES) -> None:
        self.up = Pacer(up * 1e6)
        self.down = Pacer(down * 1e6, chunk_bytes)

    @property
    def next_wake(self) -> float:
        """When `run` has something to do."""
        return min(self.up.next_wake, self.down.next_wake)

    def run(self, now: float) -> None:
        """Let go what may go by now, either way."""
        self.up.run(now)
        self.down.run(now)
