"""Peers that speak ZMTP as badly as they like: raw TCP sockets, no libzmq.

ZMTP 3.1 (rfc.zeromq.org/spec/37): a greeting of 64 bytes each way, then frames of flags, length and body.
"""

import contextlib
import selectors
import socket
import struct
import time
from collections import deque

GREETING_BYTES = 64
MORE, LONG, COMMAND = 1, 2, 4
PATIENCE_S = 10.0

HTTP = b"GET / HTTP/1.1\r\nHost: coordinator\r\nUser-Agent: a-scanner/1.0\r\nAccept: */*\r\n\r\n"


def greeting(mechanism):
    """What a client of this mechanism begins with."""
    signature, version, as_server = b"\xff" + bytes(8) + b"\x7f", b"\x03\x01", b"\0"
    return (signature + version + mechanism.encode().ljust(20, b"\0") + as_server).ljust(
        GREETING_BYTES, b"\0"
    )


def frame(body, *, flags=0):
    """A frame as it should be."""
    if len(body) < 256:
        return bytes([flags, len(body)]) + body
    return bytes([flags | LONG]) + struct.pack(">Q", len(body)) + body


def frame_head(length, *, flags=0):
    """The beginning of a frame that says it has this many bytes, whatever follows."""
    return bytes([flags | LONG]) + struct.pack(">Q", length)


def ready(socket_type=b"DEALER"):
    """The command with which a NULL handshake ends."""
    properties = b"".join(
        bytes([len(name)]) + name + struct.pack(">I", len(value)) + value
        for name, value in ((b"Socket-Type", socket_type), (b"Identity", b""))
    )
    return frame(b"\x05READY" + properties, flags=COMMAND)


def endpoint(address):
    """Host and port of tcp://HOST:PORT."""
    host, _, port = address.removeprefix("tcp://").rpartition(":")
    return host, int(port)


class RawPeer:
    """One TCP connection to a coordinator, which takes what is said within `patience_s`."""

    def __init__(self, address, *, patience_s=PATIENCE_S):
        self._socket = socket.create_connection(endpoint(address), timeout=patience_s)

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        self._socket.close()

    def say(self, data):
        """Send; False once the other side does not want it."""
        try:
            self._socket.sendall(data)
        except OSError:
            return False
        return True

    def greet(self, mechanism="NULL"):
        """Exchange greetings, and with NULL finish the handshake."""
        self.say(greeting(mechanism))
        if mechanism == "NULL":
            self.say(ready())
        return self

    def heard(self, within_s):
        """What the other side says in this time, at most 1 MiB, and whether it has closed."""
        heard, until, closed = b"", time.monotonic() + within_s, False
        while not closed and len(heard) < 1 << 20 and (left := until - time.monotonic()) > 0:
            self._socket.settimeout(left)
            try:
                data = self._socket.recv(1 << 16)
            except TimeoutError:
                break
            except OSError:
                data = b""
            heard, closed = heard + data, not data
        return heard, closed

    def closed_within(self, seconds):
        """True if the other side closes in this time."""
        return self.heard(seconds)[1]


class Flood:
    """Many connections at once; whoever is closed comes back after `RETURN_S`, as often as it takes.

    Args:
        address: Of the coordinator.
        connections: How many are open, or being opened, at any time.
        opening: What each says at once; a callable of its number.
        drip: Said a byte a second from then on, over and over; nothing if empty.
    """

    DRIP_S = 1.0
    RETURN_S = 5.0
    """As long as somebody silent is let be: so all kinds of peers come equally often."""

    def __init__(self, address, connections, opening, *, drip=b""):
        self.opened = 0
        self.closed = 0
        self.heard = 0
        self._endpoint = endpoint(address)
        self._opening = opening
        self._drip = drip
        self._due = deque([0.0] * connections)  # when each of those who are not here comes, in order
        self._selector = selectors.DefaultSelector()
        self._dripped = {}
        self._next_drip = 0.0

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()
        self._selector.close()

    @property
    def open(self):
        """How many are open, or being opened."""
        return len(self._selector.get_map())

    def turn(self, wait_s):
        """Open who is missing, hear who speaks, say what is due."""
        budget = 50  # a turn stays short: who waits for the next round must not miss it
        while budget and self._due and self._due[0] <= time.monotonic():
            self._due.popleft()
            self._open()
            budget -= 1
        for key, events in self._selector.select(0 if budget == 0 else wait_s):
            if events & selectors.EVENT_WRITE:
                self._begin(key)
            elif events & selectors.EVENT_READ:
                self._hear(key)
        if self._drip and time.monotonic() >= self._next_drip:
            self._next_drip = time.monotonic() + self.DRIP_S
            for key in list(self._selector.get_map().values()):
                if key.fileobj in self._dripped:
                    self._drop_byte(key)

    def _open(self):
        peer = socket.socket()
        peer.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            peer.connect(self._endpoint)
        self._selector.register(peer, selectors.EVENT_WRITE, self.opened)
        self.opened += 1

    def _begin(self, key):
        try:
            key.fileobj.send(self._opening(key.data))
        except OSError:
            self._close(key)
            return
        self._dripped[key.fileobj] = 0
        self._selector.modify(key.fileobj, selectors.EVENT_READ, key.data)

    def _hear(self, key):
        try:
            data = key.fileobj.recv(1 << 16)
        except OSError:
            data = b""
        self.heard += len(data)
        if not data:
            self._close(key)

    def _drop_byte(self, key):
        place = self._dripped[key.fileobj]
        try:
            key.fileobj.send(self._drip[place % len(self._drip)].to_bytes(1, "big"))
        except OSError:
            self._close(key)
            return
        self._dripped[key.fileobj] = place + 1

    def _close(self, key):
        self._selector.unregister(key.fileobj)
        self._dripped.pop(key.fileobj, None)
        key.fileobj.close()
        self.closed += 1
        self._due.append(time.monotonic() + self.RETURN_S)
