"""What libzmq tells of a listener's connections: which there are, and which never shook hands."""

from __future__ import annotations

import contextlib
import itertools
import os
import struct
from collections import Counter
from typing import Any, Final

import zmq

_HANDSHAKES: Final = {
    int(zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL): "unfinished",
    int(zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL): "protocol",
    int(zmq.EVENT_HANDSHAKE_FAILED_AUTH): "keys",
}
_ACCEPTED: Final = int(zmq.EVENT_ACCEPTED)
_DISCONNECTED: Final = int(zmq.EVENT_DISCONNECTED)
_WANTED: Final = sum((_ACCEPTED, _DISCONNECTED, *_HANDSHAKES))
_EVENT: Final = struct.Struct("=HI")  # kind, value: a descriptor or an error

_numbers = itertools.count()


class Monitor:
    """Hears of every connection of a socket that is not bound yet.

    Attributes:
        open: The inode of each connection's socket, by its descriptor; as many as there are connections.
        handshakes: How many failed: `unfinished` (silence, too slow, not this protocol), `protocol`
            (broken in the middle) or `keys` (refused, or encrypted for another coordinator).
    """

    def __init__(self, context: zmq.Context[Any], socket: zmq.Socket[bytes]) -> None:
        self.open: dict[int, int] = {}
        self.handshakes: Counter[str] = Counter()
        address = f"inproc://zfed-monitor-{next(_numbers)}"
        self._watched = socket
        self._watched.monitor(address, _WANTED)
        self._events: zmq.Socket[bytes] = context.socket(zmq.PAIR)
        self._events.setsockopt(zmq.LINGER, 0)
        # libzmq tells from its I/O thread, and would wait there until somebody listens.
        self._events.setsockopt(zmq.RCVHWM, 0)
        self._events.connect(address)

    @property
    def pollable(self) -> zmq.Socket[bytes]:
        """The socket on which it is told."""
        return self._events

    def look(self) -> None:
        """Take in all that was told since."""
        with contextlib.suppress(zmq.Again):
            while True:
                kind, value = _EVENT.unpack(self._events.recv_multipart(zmq.DONTWAIT)[0])
                self._heard(kind, value)

    def close(self) -> None:
        """Hear no more."""
        self._watched.monitor(None, 0)
        self._events.close()

    def _heard(self, kind: int, value: int) -> None:
        if kind == _ACCEPTED:
            with contextlib.suppress(OSError):  # closed again
                self.open[value] = os.fstat(value).st_ino
        elif kind == _DISCONNECTED:
            self.open.pop(value, None)
        elif kind in _HANDSHAKES:
            self.handshakes[_HANDSHAKES[kind]] += 1
