"""A port for processes that are told of one before they are there."""

from __future__ import annotations

import socket


def free_port() -> int:
    """One that nobody uses; not the default port, which another test run on this machine may have."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
