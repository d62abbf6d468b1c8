"""Ends connections whose message never does, or that say nothing.

libzmq hands a message out when its last frame is here, and until then keeps the frames, however many: neither
its high-water mark nor its limit on a frame counts them. Nobody else sees them either. But the kernel knows
how many bytes came on a connection, and the listener how many messages.

A connection without messages costs little, but a descriptor, which others may need.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import resource
import socket
import struct
import sys
import termios
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from zfed.transport.connections import shut_down

LOOK_S: Final = 0.02
SURE_S: Final = 0.005
"""A suspect is looked at once more: what libzmq was in the middle of has been taken by then."""

GROWTH_BYTES: Final = 8 << 20
"""When this process has grown by so much, connections are compared at once. That costs a microsecond to know,
but does not tell when memory is filled again that was freed before."""

SHARE_S: Final = 3e-4
"""For each connection, between two looks at all of them: these take 3 us each, so one per cent of a core."""

_PAGE: Final = resource.getpagesize()
_TCP_INFO_BYTES: Final = 136
_BYTES_RECEIVED: Final = struct.Struct("=128xQ")  # tcpi_bytes_received in Linux's struct tcp_info


@dataclass(frozen=True)
class _Seen:
    """A connection as it was when its last message had just been taken.

    `since` is when that was seen, or when the connection was.
    """

    inode: int
    messages: int
    nbytes: int
    since: float


class Sentry:
    """Watches for connections from which no message comes; does nothing where the system tells too little.

    Args:
        connections: The inode of each connection's socket, by its descriptor.
        messages: How many messages came on the connection with a descriptor.
        allowed: Bytes that an unfinished message may have.
        silence_s: Seconds that may pass without a message.

    Attributes:
        counts: How many connections were ended: `endless` and `silent` ones.
    """

    def __init__(
        self,
        connections: Mapping[int, int],
        messages: Callable[[int], int],
        *,
        allowed: int,
        silence_s: float,
    ) -> None:
        self.counts = {"endless": 0, "silent": 0}
        self._silence_s = silence_s
        self._connections = connections
        self._messages = messages
        self._allowed = allowed
        self._seen: dict[int, _Seen] = {}
        self._suspects: set[int] = set()
        self._look_at = 0.0
        self._compare_at = 0.0
        self._peek_at = 0.0
        self._memory = _open_memory()
        self._least = _resident(self._memory)

    @property
    def look_again_s(self) -> float:
        """Seconds after which to ask whether it is `uneasy`."""
        return SURE_S if self._suspects else LOOK_S

    @property
    def uneasy(self) -> bool:
        """True if there is reason to compare; far less work than a whole turn of the pump."""
        if self._suspects or _resident(self._memory) - self._least >= GROWTH_BYTES:
            return True
        now = time.monotonic()
        if now < self._peek_at:
            return False
        self._peek_at = now + self._pause_s
        return any(self._is_long(number, inode) for number, inode in self._connections.items())

    def look(self, now: float) -> None:
        """Compare, if it is time; all messages that are there must have been taken just before."""
        if self._memory is None or now < self._look_at:
            return
        resident = _resident(self._memory)
        self._least = min(self._least, resident)
        if self._suspects or resident - self._least >= GROWTH_BYTES or now >= self._compare_at:
            self._least = resident
            self._compare_at = self._peek_at = now + self._pause_s
            self._compare(now)
        self._look_at = now + self.look_again_s

    @property
    def _pause_s(self) -> float:
        return max(LOOK_S, SHARE_S * len(self._connections))

    def _is_long(self, number: int, inode: int) -> bool:
        """True if more has come than an unfinished message may have, unless messages have come meanwhile."""
        seen = self._seen.get(number)
        before = seen.nbytes if seen is not None and seen.inode == inode else 0
        return _bytes_received(number) - before > self._allowed

    def close(self) -> None:
        """Watch no more."""
        if self._memory is not None:
            os.close(self._memory)
            self._memory = None

    def _compare(self, now: float) -> None:
        before, self._seen = self._seen, {}
        sure, self._suspects = self._suspects, set()
        for number, inode in list(self._connections.items()):
            messages = self._messages(number)
            seen = before.get(number)
            if seen is None or seen.inode != inode:
                seen = _Seen(inode, 0, 0, now)
            came = _bytes_received(number)
            if messages != seen.messages:
                seen = _Seen(inode, messages, came, now)
            elif now - seen.since > self._silence_s:
                self.counts["silent"] += shut_down(number, inode)
                continue
            elif came - seen.nbytes > self._allowed and _taken(number, came) - seen.nbytes > self._allowed:
                if number in sure:
                    self.counts["endless"] += shut_down(number, inode)
                    continue
                self._suspects.add(number)
            self._seen[number] = seen


def _open_memory() -> int | None:
    if not sys.platform.startswith("linux"):
        return None
    try:
        return os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None


def _resident(memory: int | None) -> int:
    """Bytes of memory that this process has."""
    return 0 if memory is None else int(os.pread(memory, 100, 0).split()[1]) * _PAGE


_libc = ctypes.CDLL(None)


def _bytes_received(number: int) -> int:
    """Bytes that came on a TCP connection; 0 if it is none.

    With the descriptor as it is: a socket object of our own would take ten times as long.
    """
    info = ctypes.create_string_buffer(_TCP_INFO_BYTES)
    size = ctypes.c_uint32(_TCP_INFO_BYTES)
    failed = _libc.getsockopt(number, socket.IPPROTO_TCP, socket.TCP_INFO, info, ctypes.byref(size))
    if failed or size.value < _TCP_INFO_BYTES:
        return 0
    return int(_BYTES_RECEIVED.unpack(info.raw)[0])


def _taken(number: int, came: int) -> int:
    """Those of them that libzmq has read; the kernel may still hold megabytes."""
    waiting = struct.pack("i", 0)
    with contextlib.suppress(OSError):
        waiting = fcntl.ioctl(number, termios.FIONREAD, waiting)
    return came - int(struct.unpack("i", waiting)[0])
