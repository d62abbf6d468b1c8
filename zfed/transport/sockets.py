"""ZeroMQ sockets: ROUTER at the coordinator, DEALER at every other node.

Why the options are what they are stands in docs/wire.md. In short: libzmq must never reconnect by itself,
never drop at a high-water mark, never let one peer take another's route, never keep a process from ending.
"""

from __future__ import annotations

import errno
import math
import re
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import zmq

from zfed.config import LimitsConfig
from zfed.config.sizes import parse_size
from zfed.errors import ConnectError, UsageError
from zfed.transport.base import MAX_FRAMES, Arrival, Buffer, Refusal
from zfed.transport.connections import Connections
from zfed.transport.descriptors import Doorkeeper, waiting_allowed
from zfed.transport.monitor import Monitor
from zfed.transport.security import (
    ClientSecurity,
    Doorman,
    HandshakeWatch,
    ServerSecurity,
    guard,
    identify,
)
from zfed.transport.sentry import Sentry

MAX_PORT = 65_535
MAX_FRAME_BYTES = (2 << 20) + (64 << 10)
SMALL_FRAME_BYTES = 8 << 10
LINGER_MS = 1000
HANDSHAKE_MS = 5000
RECEIVE_HWM = 64
HEARTBEAT_MS = 10_000
HEARTBEAT_TIMEOUT_MS = 30_000
FRAMING_BYTES = 64 << 10
"""What the longest message has beside header and chunk, with room for heartbeats and encryption."""

_Lend: TypeAlias = Callable[[Buffer], "Buffer | zmq.Frame"]
"""What libzmq is given of a large frame, which it does not copy."""

_ADDRESS = re.compile(r"tcp://\S+:\d+")

_LAST = int(zmq.DONTWAIT)  # joining two of zmq's flags takes longer than a send
_MORE = int(zmq.DONTWAIT | zmq.SNDMORE)


class SocketListener:
    """A ROUTER socket bound to one address.

    Args:
        address: Where to listen.
        security: Who may connect; None: everybody, and nothing is encrypted.
        limits: Of connections and frames.

    Raises:
        ConnectError: If the address is taken or is not this machine's.
        UsageError: If it is no address.
    """

    def __init__(
        self, address: str, security: ServerSecurity | None = None, limits: LimitsConfig | None = None
    ) -> None:
        _check_port(address)
        limits = limits or LimitsConfig()
        self._context = zmq.Context()
        self._doorman = Doorman(self._context, security.admits) if security else None
        self._socket = _socket(self._context, zmq.ROUTER)
        if security:
            guard(self._socket, security)
        self._socket.setsockopt(zmq.MAXMSGSIZE, parse_size(limits.frame))
        self._socket.setsockopt(zmq.HANDSHAKE_IVL, max(int(limits.handshake_s * 1000), 1))
        self._socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self._socket.setsockopt(zmq.ROUTER_HANDOVER, 0)
        self._socket.setsockopt(zmq.BACKLOG, waiting_allowed())
        self._monitor = Monitor(self._context, self._socket)
        try:
            self._socket.bind(address)
        except zmq.ZMQError as error:
            self._drop()
            raise _bind_error(address, error) from error
        self.address = self._socket.getsockopt_string(zmq.LAST_ENDPOINT)
        port = self.address.rpartition(":")[2]
        self._door = Doorkeeper(int(port) if port.isdecimal() else 0, limits.connections)
        self._shared = _Shared()
        self._connections = Connections()
        longest = parse_size(limits.header) + parse_size(limits.chunk) + FRAMING_BYTES
        self._sentry = Sentry(
            self._monitor.open, self._connections.messages, allowed=longest, silence_s=limits.silence_s
        )

    @property
    def pollables(self) -> tuple[zmq.Socket[bytes], ...]:
        """The socket, the one that tells of connections, and the one that is asked who may connect."""
        if self._doorman is None or not self._doorman.here:
            return (self._socket, self._monitor.pollable)
        return (self._socket, self._monitor.pollable, self._doorman.socket)

    @property
    def broken(self) -> bool:
        """Never: it has many connections, and lost ones are found when something is sent."""
        return False

    @property
    def refusal(self) -> Refusal:
        """None: it connects to nobody."""
        return ""

    @property
    def look_again_s(self) -> float:
        """Seconds after which to ask whether it is `uneasy`."""
        return self._sentry.look_again_s

    @property
    def uneasy(self) -> bool:
        """True if bytes come of which no message does."""
        return self._sentry.uneasy

    @property
    def troubles(self) -> list[str]:
        """Why nobody new is let in, if that is so; sentences."""
        troubles = [self._door.why] if self._door.shut else []
        if self._doorman is not None and not self._doorman.here:
            troubles.append("the socket that answers for keys (ZAP) is closed: nobody new is let in")
        return troubles

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """Counts of `keys` and `connections`, as in `zfed.facts.DoorCounts`."""
        return {
            "keys": dict(self._doorman.counts) if self._doorman is not None else {},
            "connections": {**self._monitor.handshakes, **self._sentry.counts},
        }

    def attend(self) -> None:
        """Decide who may connect, and whether there is room."""
        if self._doorman is not None:
            self._doorman.answer()
        self._monitor.look()
        self._door.look(len(self._monitor.open))

    def receive(self) -> Arrival | None:
        """The next message, or None if there is none now."""
        received = _receive(self._socket, self._connections)
        if received is None:
            self._sentry.look(time.monotonic())
            self._shared.clear()
            return None
        frames, last = received
        key = "" if self._doorman is None else _key_of(last)
        return Arrival(bytes(frames[0]), frames[1:], key)  # ROUTER puts the route first

    def send(self, route: bytes, frames: Sequence[Buffer]) -> bool:
        """Queue a message; False if nothing is connected behind this route (any more)."""
        if _send(self._socket, [route, *frames], self._shared.of):
            return True
        self._connections.forget(route)
        return False

    def drop(self, route: bytes) -> None:
        """End the connection behind this route, with what is queued on it."""
        self._connections.drop(route)

    def close(self) -> None:
        """Stop listening; what is queued is still sent for a short while."""
        self._door.close()
        self._sentry.close()
        self._shared.clear()
        self._drop()

    def _drop(self) -> None:
        self._monitor.close()
        self._socket.close()
        if self._doorman is not None:
            self._doorman.close()
        self._context.term()


class _Shared:
    """The last large frame that was sent, as libzmq holds it: sent again it is only counted once more.

    A message of its own for each of a thousand workers that pull the same model takes 40 us instead of less
    than one, most of it in pyzmq's thread that hears from libzmq when each of them is through.
    """

    def __init__(self) -> None:
        self._data: Buffer | None = None
        self._frame: zmq.Frame | None = None

    def of(self, data: Buffer) -> zmq.Frame:
        """The frame of these bytes."""
        if self._frame is None or self._data is not data:
            self._data, self._frame = data, zmq.Frame(data, track=False)
        return self._frame

    def clear(self) -> None:
        """Hold nothing: the bytes may belong to a model that is not served any more."""
        self._data = self._frame = None


class SocketConnector:
    """A DEALER socket, a new one for every connection.

    Args:
        context: What many nodes in one process share; by default each has its own, which it ends.
        security: Who this node is and whom it trusts; None: nothing is encrypted.
    """

    def __init__(
        self, context: zmq.Context[Any] | None = None, security: ClientSecurity | None = None
    ) -> None:
        self._security = security
        self._watch: HandshakeWatch | None = None
        self._owns_context = context is None
        self._context = context or zmq.Context()
        self._socket: zmq.Socket[bytes] | None = None
        self._answered = False

    @property
    def pollables(self) -> tuple[zmq.Socket[bytes], ...]:
        """The socket, and while it connects the one that tells what becomes of that."""
        watch = self._watch.pollable if self._watch else None
        return tuple(socket for socket in (self._socket, watch) if socket is not None)

    @property
    def look_again_s(self) -> float:
        """Never: a connection that is lost is input."""
        return math.inf

    @property
    def uneasy(self) -> bool:
        """Never."""
        return False

    @property
    def broken(self) -> bool:
        """True once the peer has closed, reset or refused the connection.

        A DEALER that neither reconnects nor has a high-water mark can always be written to, until then.
        """
        if self._socket is None:
            return False
        return bool(self.refusal) or not int(self._socket.getsockopt(zmq.EVENTS)) & zmq.POLLOUT

    @property
    def refusal(self) -> Refusal:
        """Why the connection was not made, if it was refused."""
        return self._watch.refusal if self._watch else ""

    def attend(self) -> None:
        """See what has become of the handshake."""
        if self._watch is not None:
            self._watch.look()

    def open(self, address: str) -> None:
        """Drop the connection, if there is one, and begin another.

        Raises:
            UsageError: If it is no address.
        """
        self._drop()
        _check_port(address)
        self._answered = False
        self._socket = _socket(self._context, zmq.DEALER)
        self._socket.setsockopt(zmq.RECONNECT_IVL, -1)
        if self._security is not None:
            identify(self._socket, self._security, address)
        self._watch = HandshakeWatch(self._socket)
        try:
            self._socket.connect(address)
        except zmq.ZMQError as error:
            self._drop()
            raise UsageError(f"cannot connect to {address!r}: {error}; expected tcp://HOST:PORT") from error

    def receive(self) -> Arrival | None:
        """The next message, or None if there is none now."""
        received = None if self._socket is None else _receive(self._socket)
        if received is None:
            return None
        self._answered = True
        return Arrival(b"", received[0])

    def send(self, route: bytes, frames: Sequence[Buffer]) -> bool:
        """Queue a message; False if there is no connection to queue it on."""
        return self._socket is not None and _send(self._socket, frames)

    def disconnect(self) -> None:
        """Drop the connection; what is queued is still sent for a short while.

        Not so if nothing ever came on it: a HELLO that arrived after that of the next attempt would take
        its session away.
        """
        self._drop()

    def close(self) -> None:
        """Drop the connection for good."""
        self._drop()
        if self._owns_context:
            self._context.term()

    def _drop(self) -> None:
        if self._watch is not None:
            self._watch.close()
            self._watch = None
        if self._socket is not None:
            self._socket.close(linger=LINGER_MS if self._answered else 0)
            self._socket = None


def addresses_in(text: str) -> tuple[str, ...]:
    """The addresses in a list that is separated by commas, each once.

    Raises:
        UsageError: If there is none, or one of them is none.
    """
    addresses = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    for address in addresses:
        if not _ADDRESS.fullmatch(address):
            raise UsageError(f"cannot connect to {address!r}: expected tcp://HOST:PORT")
        _check_port(address)
    if not addresses:
        raise UsageError("no address to connect to: expected tcp://HOST:PORT, or several separated by commas")
    return addresses


def _check_port(address: str) -> None:
    """Refuse a port that libzmq would wrap, 99999 to 34463."""
    port = address.rpartition(":")[2]
    if port.isdecimal() and int(port) > MAX_PORT:
        raise UsageError(f"{address!r}: port {port}, expected tcp://HOST:PORT with a port up to {MAX_PORT}")


def _socket(context: zmq.Context[Any], kind: int) -> zmq.Socket[bytes]:
    socket: zmq.Socket[bytes] = context.socket(kind)
    socket.setsockopt(zmq.LINGER, LINGER_MS)
    socket.setsockopt(zmq.SNDHWM, 0)
    socket.setsockopt(zmq.RCVHWM, RECEIVE_HWM)
    socket.setsockopt(zmq.MAXMSGSIZE, MAX_FRAME_BYTES)
    socket.setsockopt(zmq.HANDSHAKE_IVL, HANDSHAKE_MS)
    socket.setsockopt(zmq.HEARTBEAT_IVL, HEARTBEAT_MS)
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, HEARTBEAT_TIMEOUT_MS)
    return socket


def _receive(
    socket: zmq.Socket[bytes], connections: Connections | None = None
) -> tuple[list[Buffer], zmq.Frame] | None:
    """One message and its last frame as it came, which knows whom it is from.

    Small frames are copied: a kept zero-copy frame pins the buffer it was read into. A listener's first frame
    is the route, and `connections` is where it learns what is behind it.
    """
    frames: list[Buffer] = []
    try:
        more = True
        while more:
            frame = socket.recv(zmq.DONTWAIT, copy=False)
            more = bool(frame.more)
            if connections is not None and not frames:
                connections.heard(frame)
            if len(frames) <= MAX_FRAMES:
                frames.append(frame.bytes if len(frame) < SMALL_FRAME_BYTES else frame.buffer)
    except zmq.Again:
        return None
    return frames, frame


def _key_of(frame: zmq.Frame) -> str:
    """The key that the sender proved. ZAP gave it to libzmq, which adds it to all that comes from there."""
    try:
        return str(frame.get("User-Id"))
    except zmq.ZMQError:  # it has none: nobody was asked
        return ""


def _send(socket: zmq.Socket[bytes], frames: Sequence[Buffer], lend: _Lend = lambda data: data) -> bool:
    last = len(frames) - 1
    try:
        for place, frame in enumerate(frames):
            flags = _LAST if place == last else _MORE
            if len(frame) < SMALL_FRAME_BYTES:
                socket.send(frame, flags)
            else:
                socket.send(lend(frame), flags, copy=False)
    except zmq.Again:
        return False
    except zmq.ZMQError as error:
        if error.errno == zmq.EHOSTUNREACH:
            return False
        raise
    return True


def _bind_error(address: str, error: zmq.ZMQError) -> Exception:
    if error.errno == zmq.EADDRINUSE:
        return ConnectError(f"{address} is in use, perhaps by another coordinator; choose another: --bind")
    if error.errno in (zmq.EADDRNOTAVAIL, errno.ENODEV):
        return ConnectError(f"{address} is not an address of this machine; choose another with --bind")
    return UsageError(f"cannot listen on {address!r}: {error}; expected tcp://ADDRESS:PORT")
