"""CURVE: who may connect, and how a connection that was refused looks from the other end.

libzmq asks whether a key may come in over ZAP (RFC 27): a message on an in-process address that it looks up
by itself. Two rules keep the door shut whatever else goes wrong. The answering socket is bound before the
port is, and `ZAP_ENFORCE_DOMAIN` is set beside the domain: without it, libzmq lets every key in while nobody
answers.

ZAP is asked once for a connection. It says that a key is known, not what its owner may do: that is checked at
every message, by the key that each message carries.
"""

from __future__ import annotations

import base64
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import zmq
from zmq.utils.monitor import recv_monitor_message

from zfed.transport.base import Refusal

DOMAIN: Final = b"zfed"
ZAP_ADDRESS: Final = "inproc://zeromq.zap.01"
ZAP_VERSION: Final = b"1.0"
KEY_BYTES: Final = 32
MOST_AT_ONCE: Final = 64
"""Handshakes decided in one go; messages of nodes that are here come between."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CurveKeys:
    """A CURVE key pair, 32 bytes each."""

    public: bytes
    secret: bytes = field(repr=False)


@dataclass(frozen=True)
class ServerSecurity:
    """What a listener needs to let only known keys in.

    Attributes:
        keys: Its own.
        admits: True if a key (base64url, unpadded) may connect, be it to hear why it is refused.
    """

    keys: CurveKeys
    admits: Callable[[str], bool]


@dataclass(frozen=True)
class ClientSecurity:
    """What a connector needs to be let in, and to know whom it talks to.

    Attributes:
        keys: Its own.
        server_key: The public key that must be proven at an address.
    """

    keys: CurveKeys
    server_key: Callable[[str], bytes]


def key_id(public: bytes) -> str:
    """A public key as text: base64url without padding, 43 characters."""
    return base64.urlsafe_b64encode(public).decode().rstrip("=")


class Doorman:
    """Answers libzmq's question who may come in; a socket for the poller, nothing waits.

    Args:
        context: Of the socket whose door it is; make the doorman first.
        admits: As in `ServerSecurity`.

    Attributes:
        counts: How many handshakes were `admitted`, `refused` for their key, or `malformed`.
    """

    def __init__(self, context: zmq.Context[Any], admits: Callable[[str], bool]) -> None:
        self.socket: zmq.Socket[bytes] = context.socket(zmq.REP)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.bind(ZAP_ADDRESS)
        self.counts: Counter[str] = Counter()
        self._admits = admits
        self._missed = False

    @property
    def here(self) -> bool:
        """False once the socket is closed, and with it the door."""
        return not self.socket.closed

    def answer(self) -> None:
        """Decide who has asked by now."""
        if not self.here:
            if not self._missed:
                self._missed = True
                log.error("the socket that answers for keys (ZAP) is closed: nobody new is let in")
            return
        for _ in range(MOST_AT_ONCE):
            try:
                request = self.socket.recv_multipart(zmq.DONTWAIT)
            except zmq.Again:
                return
            self.socket.send_multipart(self._reply(request), zmq.DONTWAIT)

    def close(self) -> None:
        """Let nobody new in."""
        self.socket.close()

    def _reply(self, request: list[bytes]) -> list[bytes]:
        """The reply of RFC 27: version, request id, status, text, user id, metadata."""
        number = request[1] if len(request) > 1 else b""
        if len(request) != 7 or request[0] != ZAP_VERSION or request[2] != DOMAIN:
            self.counts["malformed"] += 1
            return [ZAP_VERSION, number, b"500", b"not a request of this door", b"", b""]
        mechanism, credentials = request[5:]
        key = key_id(credentials) if mechanism == b"CURVE" and len(credentials) == KEY_BYTES else ""
        if not key or not self._admits(key):
            self.counts["refused"] += 1
            return [ZAP_VERSION, number, b"400", b"not enrolled here", b"", b""]
        self.counts["admitted"] += 1
        return [ZAP_VERSION, number, b"200", b"", key.encode(), b""]


def guard(socket: zmq.Socket[bytes], security: ServerSecurity) -> None:
    """Let only those keys in that a `Doorman` of the same context admits; before the socket is bound."""
    socket.setsockopt(zmq.CURVE_SERVER, 1)
    socket.setsockopt(zmq.CURVE_SECRETKEY, security.keys.secret)
    socket.setsockopt(zmq.CURVE_PUBLICKEY, security.keys.public)
    socket.setsockopt(zmq.ZAP_DOMAIN, DOMAIN)
    socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)


def identify(socket: zmq.Socket[bytes], security: ClientSecurity, address: str) -> None:
    """Talk only to who proves the key that belongs to this address; before the socket is connected."""
    socket.setsockopt(zmq.CURVE_SECRETKEY, security.keys.secret)
    socket.setsockopt(zmq.CURVE_PUBLICKEY, security.keys.public)
    socket.setsockopt(zmq.CURVE_SERVERKEY, security.server_key(address))


class HandshakeWatch:
    """Watches one connection until it is made, or refused.

    libzmq tells a client nothing but a number when its key is not known, and nothing at all when it expected
    another key of the server or another mechanism.
    """

    _EVENTS: Final = (
        zmq.EVENT_HANDSHAKE_SUCCEEDED
        | zmq.EVENT_HANDSHAKE_FAILED_AUTH
        | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
        | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    )

    def __init__(self, socket: zmq.Socket[bytes]) -> None:
        self._watched = socket
        self.pollable: zmq.Socket[bytes] | None = socket.get_monitor_socket(self._EVENTS)
        self.refusal: Refusal = ""

    def look(self) -> None:
        """See what has become of the handshake by now."""
        while self.pollable is not None and self.pollable.poll(0):
            told = recv_monitor_message(self.pollable)
            if told["event"] == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
                # 300 (try again) does not come; 500 is a fault of the other end, which may pass
                self.refusal = "not-enrolled" if told["value"] == 400 else "handshake"
            elif told["event"] != zmq.EVENT_HANDSHAKE_SUCCEEDED:
                self.refusal = "handshake"
            self.close()

    def close(self) -> None:
        """Watch no longer."""
        if self.pollable is not None:
            self._watched.disable_monitor()
            self.pollable.close(linger=0)
            self.pollable = None
