"""Carrying frames between nodes; what they mean is not known here."""

from zfed.transport.base import Transport
from zfed.transport.sockets import SocketConnector, SocketListener, is_loopback

__all__ = ["SocketConnector", "SocketListener", "Transport", "is_loopback"]
