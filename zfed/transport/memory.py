"""A network without sockets, threads or real time: for tests and simulations.

One coordinator listens, nodes connect, and a `VirtualClock` says when what arrives. All that is random is
drawn from one seeded generator in the order of the calls: the same calls make the same network.
"""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from zfed.transport.base import Buffer
from zfed.transport.memory_link import Lane, NodeLink

Receive: TypeAlias = Callable[[bytes, list[Buffer]], None]
"""Takes (route, frames) of a message that has arrived at a node; the route is empty."""

ReceiveFrom: TypeAlias = Callable[[bytes, list[Buffer], str], None]
"""Takes (route, frames, name of the node) at the coordinator; the name is certain, as a proven key is."""


class VirtualClock:
    """Time that passes only from one thing due to the next; things due at once are done in order of `at`."""

    def __init__(self) -> None:
        self.now = 0.0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()

    def at(self, time: float, call: Callable[[], None]) -> None:
        """Do this when it is `time`, or next if that is past."""
        heapq.heappush(self._due, (max(time, self.now), next(self._numbers), call))

    def step(self, until: float = math.inf) -> bool:
        """Go to the next thing due and do it; False if there is none up to `until`."""
        if not self._due or self._due[0][0] > until:
            return False
        self.now, _, call = heapq.heappop(self._due)
        call()
        return True


@dataclass(frozen=True, kw_only=True)
class LinkFaults:
    """How bad a link is. Probabilities, from 0 to 1, are per message.

    Worse than TCP on purpose: what survives this survives a peer that drops or repeats what it was sent.

    Attributes:
        delay_s: Shortest and longest time that a message takes. Without reordering, those of one connection
            and direction arrive in order.
        loss: The message vanishes.
        duplication: It arrives twice.
        reordering: It is held back while later ones pass, by up to `held_back_s`.
        held_back_s: Longest time that a duplicate or a reordered message comes later than due.
        cut: The connection breaks instead of taking the message.
    """

    delay_s: tuple[float, float] = (0.001, 0.001)
    loss: float = 0.0
    duplication: float = 0.0
    reordering: float = 0.0
    held_back_s: float = 1.0
    cut: float = 0.0


@dataclass(eq=False)
class _Connection:
    node: str
    route: bytes
    receive: Receive
    last_up: float = field(default=0.0)
    last_down: float = field(default=0.0)


class MemoryNetwork:
    """Connections between one coordinator and many nodes.

    Args:
        clock: Says when what arrives.
        seed: Of all that is random here.
        faults: May be changed at any time; counts for what is sent from then on.

    Attributes:
        under_way: How many messages have been sent and neither arrived nor been lost.
        links: Those of nodes whose links are narrow or long; all others carry anything in no time.
    """

    def __init__(self, clock: VirtualClock, *, seed: int = 0, faults: LinkFaults | None = None) -> None:
        self.faults = faults or LinkFaults()
        self.under_way = 0
        self.links: dict[str, NodeLink] = {}
        self._clock = clock
        self._random = random.Random(f"network:{seed}")
        self._routes = itertools.count(1)
        self._connections: dict[bytes, _Connection] = {}
        self._isolated: set[str] = set()
        self._listener: ReceiveFrom | None = None

    def isolate(self, node: str) -> None:
        """From now on nothing reaches this node or comes from it, and nobody is told so."""
        self._isolated.add(node)

    def reconnect(self, node: str) -> None:
        """The node can be reached again; what was sent meanwhile is lost."""
        self._isolated.discard(node)

    def listen(self, receive: ReceiveFrom) -> MemoryListener:
        """The coordinator's end; connections that are there already are closed."""
        self.silence()
        self._listener = receive
        return MemoryListener(self)

    def silence(self) -> None:
        """Nobody listens any more; all connections are closed."""
        self._listener = None
        self._connections.clear()

    def connector(self, node: str, receive: Receive) -> MemoryConnector:
        """A node's end, not connected yet."""
        return MemoryConnector(self, node, receive)

    def open(self, node: str, receive: Receive) -> bytes:
        """A new connection of a node; its route at the coordinator. Nobody is told whether it will work."""
        route = next(self._routes).to_bytes(5, "big")
        self._connections[route] = _Connection(node, route, receive)
        return route

    def close(self, route: bytes) -> None:
        """End a connection; what is under way on it is lost."""
        self._connections.pop(route, None)

    def send_up(self, route: bytes, frames: Sequence[Buffer]) -> bool:
        """Send from a node to the coordinator; False if the connection is not there (any more)."""
        connection = self._usable(route)
        if connection is None:
            return False

        def arrive() -> None:
            self.under_way -= 1
            if self._listener is not None and self._reaches(connection):
                self._listener(route, list(frames), connection.node)

        link = self.links.get(connection.node)
        sent_at = self._sent(frames, link, link.up) if link else self._clock.now
        connection.last_up = self._carry(arrive, connection.node, sent_at, connection.last_up)
        return True

    def send_down(self, route: bytes, frames: Sequence[Buffer]) -> bool:
        """Send from the coordinator to a node; False if the connection is not there (any more)."""
        connection = self._usable(route)
        if connection is None:
            return False

        def arrive() -> None:
            self.under_way -= 1
            if self._reaches(connection):
                connection.receive(b"", list(frames))

        link = self.links.get(connection.node)
        sent_at = self._sent(frames, link, link.down) if link else self._clock.now
        connection.last_down = self._carry(arrive, connection.node, sent_at, connection.last_down)
        return True

    def _usable(self, route: bytes) -> _Connection | None:
        if self.faults.cut and self._random.random() < self.faults.cut:
            self.close(route)
        return self._connections.get(route)

    def _reaches(self, connection: _Connection) -> bool:
        return self._connections.get(connection.route) is connection and connection.node not in self._isolated

    def _sent(self, frames: Sequence[Buffer], link: NodeLink, lane: Lane) -> float:
        """When a message has left; also one that will be lost takes its time."""
        return lane.send(sum(map(len, frames)), self._clock.now) + link.delay_s

    def _carry(self, arrive: Callable[[], None], node: str, sent_at: float, last: float) -> float:
        """Put a message under way; returns when the last one in order arrives."""
        faults, draw = self.faults, self._random.random
        if node in self._isolated or (faults.loss and draw() < faults.loss):
            return last
        due = sent_at + self._random.uniform(*faults.delay_s)
        if faults.duplication and draw() < faults.duplication:
            self._put(due + draw() * faults.held_back_s, arrive)
        if faults.reordering and draw() < faults.reordering:
            self._put(due + draw() * faults.held_back_s, arrive)
            return last
        due = max(due, last)
        self._put(due, arrive)
        return due

    def _put(self, due: float, arrive: Callable[[], None]) -> None:
        self.under_way += 1
        self._clock.at(due, arrive)


@dataclass(frozen=True)
class MemoryListener:
    """The coordinator's end of a `MemoryNetwork`."""

    network: MemoryNetwork

    def send(self, route: bytes, frames: Sequence[Buffer]) -> bool:
        """Queue a message; False if nothing is connected behind this route (any more)."""
        return self.network.send_down(route, frames)

    def drop(self, route: bytes) -> None:
        """End the connection behind this route, with what is under way on it."""
        self.network.close(route)

    def close(self) -> None:
        """Stop listening."""
        self.network.silence()


@dataclass(eq=False)
class MemoryConnector:
    """A node's end of a `MemoryNetwork`: a new connection each time it is opened."""

    network: MemoryNetwork
    node: str
    receive: Receive
    _route: bytes = b""

    def open(self) -> None:
        """Drop the connection, if there is one, and begin another."""
        self.disconnect()
        self._route = self.network.open(self.node, self.receive)

    def send(self, route: bytes, frames: Sequence[Buffer]) -> bool:
        """Queue a message; False if there is no connection to queue it on."""
        return self.network.send_up(self._route, frames)

    def disconnect(self) -> None:
        """Drop the connection."""
        self.network.close(self._route)
