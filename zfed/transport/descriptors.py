"""How many files and connections this process may have open, and a door that shuts before none is left.

Every connection is a file descriptor. When there is none for the next connection, libzmq tries to accept it
again and again, with all of one core, and whoever wants to open a file at that moment fails. So the last ones
are kept for files: until others are free again, nobody new is let in, and who is here notices nothing.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import resource
import socket
import stat
import struct
import time
from pathlib import Path
from typing import Final

from zfed.errors import UsageError

FILES: Final = 128
"""Descriptors kept for models, journals and spilled updates."""

MOST_WAITING: Final = 4096
"""Connections that may wait to be accepted: a thousand workers come back at once."""

LOOK_AGAIN_S: Final = 1.0

_OPEN: Final = Path("/proc/self/fd")
_MOST: Final = 1 << 20  # Linux allows no more unless it is told to (fs.nr_open)
_ATTACH_FILTER: Final = 26
_DETACH_FILTER: Final = 27
_DROP_ALL: Final = struct.pack("HBBI", 0x06, 0, 0, 0)
"""One instruction of classic BPF: keep 0 bytes."""

log = logging.getLogger(__name__)


def raise_descriptor_limit(connections: int) -> int:
    """Let this process open as many files as it may without asking anybody; returns how many.

    Args:
        connections: How many nodes are expected at least.

    Raises:
        UsageError: If that is not enough for them.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = _MOST if hard == resource.RLIM_INFINITY else hard
    if soft != resource.RLIM_INFINITY and soft < limit:
        with contextlib.suppress(ValueError, OSError):  # some systems allow less than they say
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if connections + _reserve() > limit:
        needed = connections + FILES + min(MOST_WAITING, (connections + FILES + 2) // 3)
        raise UsageError(
            f"{connections:,} nodes are awaited, and each connection is an open file: about {needed:,} are "
            f"needed, this process may open {limit:,}. Allow more before it starts: ulimit -n {needed} (as "
            "root), or LimitNOFILE= of a service"
        )
    return limit


def waiting_allowed() -> int:
    """How many connections may wait to be accepted: the backlog to listen with."""
    return min(MOST_WAITING, _limit() // 4)


def _reserve() -> int:
    """Descriptors that must be free for the door to be open: who waits when it shuts is still let in."""
    return FILES + waiting_allowed()


class Doorkeeper:
    """Shuts a listening TCP port while there is no room; does nothing where the system has no means.

    Attributes:
        shut: True while nobody new is let in; `why` is then the sentence that says so.

    Args:
        port: On which this process listens.
        connections: How many there may be.
    """

    def __init__(self, port: int, connections: int) -> None:
        self._port = port
        self._most = connections
        self._listening = _listening(port)
        self._look_at = 0.0
        self.shut = False
        self.why = ""

    def look(self, connections: int) -> None:
        """Shut or open the door, if it is time. Takes about a microsecond while all is well.

        Args:
            connections: How many there are.
        """
        if self._listening is None:
            return
        if self.shut:
            self._open_if_room(self._listening, connections)
        elif connections >= self._most:
            self._shut(
                self._listening, f"{connections} are open, {self._most} are allowed: --max-connections"
            )
        elif _lowest_free(self._listening) >= _limit() - _reserve():
            self._shut(
                self._listening,
                f"{_lowest_free(self._listening)} files and connections are open, {_limit()} are allowed: "
                "allow more with ulimit -n",
            )

    def close(self) -> None:
        """Let the port go."""
        if self._listening is not None:
            self._listening.close()
            self._listening = None

    def _shut(self, listening: socket.socket, why: str) -> None:
        # A filter that keeps nothing: who knocks gets no answer and tries again later. Closing the port, as
        # libzmq does it, would close all connections that came through it.
        instruction = ctypes.create_string_buffer(_DROP_ALL, len(_DROP_ALL))
        program = struct.pack("HL", 1, ctypes.addressof(instruction))
        if not _set(listening, _ATTACH_FILTER, program):
            self.close()  # there are no means here: do not try again and again
            return
        self.shut = True
        self._look_at = time.monotonic() + LOOK_AGAIN_S
        self.why = f"no more connections on port {self._port} for now: {why}"
        log.warning("%s", self.why)

    def _open_if_room(self, listening: socket.socket, connections: int) -> None:
        now = time.monotonic()
        if now < self._look_at:
            return
        self._look_at = now + LOOK_AGAIN_S
        # Counted one by one: after many came and went, the lowest free number says little.
        if connections < self._most and 0 < len(_open()) < _limit() - _reserve() - FILES:
            self.shut = not _set(listening, _DETACH_FILTER, struct.pack("i", 0))


def _listening(port: int) -> socket.socket | None:
    """A second handle of the socket with which libzmq listens; it does not tell its own."""
    for number in _open():
        with contextlib.suppress(OSError):  # closed meanwhile
            if stat.S_ISSOCK(os.fstat(number).st_mode):
                found = socket.socket(fileno=os.dup(number))
                if _listens(found, port):
                    found.setblocking(False)  # as it is for libzmq, too: they share this
                    return found
                found.close()
    return None


def _listens(found: socket.socket, port: int) -> bool:
    if found.family not in (socket.AF_INET, socket.AF_INET6):
        return False
    return bool(found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)) and found.getsockname()[1] == port


def _open() -> list[int]:
    """All descriptors of this process; empty where the system does not list them."""
    try:
        return [int(name) for name in os.listdir(_OPEN)]
    except OSError:
        return []


def _lowest_free(listening: socket.socket) -> int:
    """The number that the next descriptor will have; at least as many are open."""
    try:
        number = os.dup(listening.fileno())
    except OSError:
        return _limit()
    os.close(number)
    return number


def _limit() -> int:
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def _set(listening: socket.socket, option: int, value: bytes) -> bool:
    try:
        listening.setsockopt(socket.SOL_SOCKET, option, value)
    except OSError:
        return False
    return True
