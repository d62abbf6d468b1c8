"""Finds a free port on this machine."""

from __future__ import annotations

import re
import socket

_TCP = re.compile(r"tcp://(?P<host>[0-9.]+):(?P<port>\d+)")


def free_address(address: str) -> str:
    """The address if nobody listens there, else one on the same interface that is free.

    Only for numbered TCP addresses; others are returned as they are, for ZeroMQ to judge. Another process may
    take the port before it is used: then the bind fails and says so.
    """
    match = _TCP.fullmatch(address)
    if match is None or _is_free(match["host"], int(match["port"])):
        return address
    with socket.socket() as probe:
        probe.bind((match["host"], 0))
        return f"tcp://{match['host']}:{probe.getsockname()[1]}"


def _is_free(host: str, port: int) -> bool:
    with socket.socket() as probe:
        # As libzmq does: a port in TIME_WAIT after the last run is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
