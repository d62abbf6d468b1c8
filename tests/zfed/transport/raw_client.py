"""A ZMTP client of bytes, without encryption: it can send what no library would."""

import socket
import struct

GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + b"\0" + bytes(31)


def _property(name, value):
    return bytes([len(name)]) + name + struct.pack(">I", len(value)) + value


READY = b"\x05READY" + _property(b"Socket-Type", b"DEALER") + _property(b"Identity", b"")


def connected(address, timeout_s=5.0):
    """A socket to a listener's address, on which nothing was sent."""
    host, _, port = address.removeprefix("tcp://").rpartition(":")
    return socket.create_connection((host, int(port)), timeout=timeout_s)


def shaken_hands(address):
    """The same after greeting and handshake."""
    raw = connected(address)
    raw.sendall(GREETING + b"\x04" + bytes([len(READY)]) + READY)
    _read(raw, len(GREETING))
    _, size = _read(raw, 2)
    _read(raw, size)
    return raw


def frame(data, *, more):
    """One frame of a message."""
    if len(data) < 256:
        return bytes([more, len(data)]) + data
    return bytes([2 | more]) + struct.pack(">Q", len(data)) + data


def _read(raw, size):
    data = b""
    while len(data) < size:
        data += raw.recv(size - len(data)) or _closed()
    return data


def _closed():
    raise ConnectionError("closed by the other side")
