"""Which TCP connection is behind a route, and how to end it.

libzmq has no call that closes one connection of a ROUTER. But it says with each message from which file
descriptor it came, and what that descriptor stands for can be shut down by anybody who has it: libzmq then
sees the end of the stream, as if the peer had gone.
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import struct
from dataclasses import dataclass

import zmq

_RESET = struct.pack("ii", 1, 0)


@dataclass(eq=False)
class _Connection:
    number: int
    inode: int
    messages: int = 1


class Connections:
    """The descriptors of the connections that a message came from.

    A descriptor that was closed is soon another's. So each route also has the inode number of its socket,
    which the kernel does not use again at once, and each descriptor has one route, that of its last message:
    there are never more entries than the process has descriptors.
    """

    def __init__(self) -> None:
        self._known: dict[bytes, _Connection] = {}
        self._route_at: dict[int, bytes] = {}

    def __len__(self) -> int:
        return len(self._known)

    def heard(self, frame: zmq.Frame) -> None:
        """A message came; this is its first frame, the route."""
        route = frame.bytes
        known = self._known.get(route)
        if known is None:
            self._learn(route, frame)
        else:
            known.messages += 1

    def messages(self, number: int) -> int:
        """How many messages came on the connection with this descriptor."""
        known = self._known.get(self._route_at.get(number, b""))
        return known.messages if known else 0

    def forget(self, route: bytes) -> None:
        """There is no connection behind this route any more."""
        known = self._known.pop(route, None)
        if known is not None and self._route_at.get(known.number) == route:
            del self._route_at[known.number]

    def drop(self, route: bytes) -> bool:
        """End the connection behind a route; False if it is not known, or gone already."""
        known = self._known.get(route)
        self.forget(route)
        return known is not None and shut_down(known.number, known.inode)

    def _learn(self, route: bytes, frame: zmq.Frame) -> None:
        try:
            number = int(frame.get(zmq.SRCFD))
        except zmq.ZMQError:  # it came from no connection
            return
        before = self._route_at.get(number)
        if before is not None:
            self._known.pop(before, None)
        with contextlib.suppress(OSError):  # closed since the message came
            self._known[route] = _Connection(number, os.fstat(number).st_ino)
            self._route_at[number] = route


def shut_down(number: int, inode: int) -> bool:
    """End a TCP connection of libzmq's, which then closes the descriptor; False if it is another's by now.

    Args:
        number: The descriptor.
        inode: Of the socket that is meant.
    """
    try:
        held = os.dup(number)  # so that it stays what is looked at
    except OSError:
        return False
    try:
        seen = os.fstat(held)
        if not stat.S_ISSOCK(seen.st_mode) or seen.st_ino != inode:
            os.close(held)
            return False
        with socket.socket(fileno=held) as connection:
            if connection.family not in (socket.AF_INET, socket.AF_INET6):
                return False
            # When libzmq closes it, a peer in the middle of sending is told at once, and not left to wait.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            connection.shutdown(socket.SHUT_RDWR)
    except OSError:  # the peer has gone meanwhile
        return False
    return True
