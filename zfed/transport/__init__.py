"""Carrying frames between nodes; what they mean is not known here."""

from zfed.transport.base import Arrival, Refusal, Transport
from zfed.transport.descriptors import raise_descriptor_limit
from zfed.transport.memory import LinkFaults, MemoryNetwork, VirtualClock
from zfed.transport.security import ClientSecurity, CurveKeys, ServerSecurity
from zfed.transport.sockets import FRAMING_BYTES, SocketConnector, SocketListener, addresses_in

__all__ = [
    "FRAMING_BYTES",
    "Arrival",
    "ClientSecurity",
    "CurveKeys",
    "LinkFaults",
    "MemoryNetwork",
    "Refusal",
    "ServerSecurity",
    "SocketConnector",
    "SocketListener",
    "Transport",
    "VirtualClock",
    "addresses_in",
    "raise_descriptor_limit",
]
