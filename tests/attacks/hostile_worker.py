"""A client that speaks zfed/1 as well as it must to be heard, and otherwise says what a test tells it to."""

import time
from dataclasses import dataclass

import numpy as np
import zmq
from zmq.utils import z85

from zfed.nodes.admission import claim_of
from zfed.params import ParameterBuffer
from zfed.partition import Partition
from zfed.wire.codec import decode, encode
from zfed.wire.digests import blob_of, layout_blob
from zfed.wire.messages import (
    Bye,
    Chunk,
    Hello,
    Initialize,
    Ping,
    Pong,
    Pull,
    Refused,
    Train,
    Update,
    Vector,
    Welcome,
)

PATIENCE_S = 10.0
"""Within this time whoever is refused has been told."""


@dataclass(frozen=True)
class CurveKeys:
    """What a client needs for CURVE, 32 bytes each."""

    public: bytes
    secret: bytes
    server: bytes

    @classmethod
    def unknown(cls, server):
        """A pair that nobody has enrolled."""
        public, secret = (z85.decode(key) for key in zmq.curve_keypair())
        return cls(public, secret, server)


def tiny_values(width=1000, value=0.0):
    """Numbers for the model of the tiny task."""
    return ParameterBuffer.from_arrays({"weight": np.full(width, value, np.float32), "bias": np.zeros(1)})


class HostileWorker:
    """One connection.

    Args:
        address: Of the coordinator.
        name: The node name that it claims.
        keys: For CURVE; None: plaintext.
        instance: Of its HELLO.
    """

    def __init__(self, address, name, *, keys=None, instance=None):
        self.name = name
        self.epoch = 0
        self.heard = []
        self.hello = None
        self.values = tiny_values()
        self.blobs = {"layout": self.values.layout.shared.to_bytes()}
        self._instance = instance or f"{abs(hash((name, time.monotonic_ns()))):032x}"
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.DEALER)
        self._socket.setsockopt(zmq.RECONNECT_IVL, -1)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.setsockopt(zmq.SNDHWM, 0)
        if keys is not None:
            self._socket.curve_publickey = keys.public
            self._socket.curve_secretkey = keys.secret
            self._socket.curve_serverkey = keys.server
        self._socket.connect(address)

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        self._socket.close()
        self._context.term()

    # ---- what it says ---------------------------------------------------------------------------

    def say(self, message, payload=None, *, epoch=None):
        """Say a message, under its session's epoch if none is given."""
        epoch = self.epoch if epoch is None else epoch
        self.say_frames(encode(message, epoch=0 if isinstance(message, Hello) else epoch, payload=payload))

    def say_frames(self, frames):
        """Say anything, unless the connection is gone."""
        try:
            self._socket.send_multipart(frames, zmq.DONTWAIT)
        except zmq.Again:
            return False
        return True

    def greet(self, **changes):
        """Say HELLO."""
        hello = {
            "protocol": "zfed/1",
            "node": self.name,
            "node_kind": "worker",
            "instance": self._instance,
            "version": "0",
            "layout": layout_blob("layout", self.blobs["layout"]),
            "examples": 10,
            "partition": claim_of(Partition(spec="iid:9/10")),
            **changes,
        }
        self.hello = Hello(**hello)
        self.say(self.hello)
        return self

    def join(self, **changes):
        """Say HELLO, and answer what is asked until there is an order to train."""
        self.greet(**changes)
        return self.awaits(Train)

    def offer(self, order, values, *, changed=b"", **changes):
        """Offer an update for an order; `changed` are the bytes that are sent in place of those digested."""
        name = "model" if isinstance(order, Initialize) else "delta"
        data = values.data.tobytes()
        blob = f"{name}:{order.assignment}:{len(self.blobs)}"
        layout = layout_blob("layout:delta", values.layout.to_bytes())
        self.blobs["layout:delta"], self.blobs[blob] = values.layout.to_bytes(), changed or data
        update = Update(
            **{
                "assignment": order.assignment,
                "version": getattr(order, "version", 0),
                "vectors": [Vector(name=name, layout=layout, data=blob_of(blob, data))],
                "examples": 10,
                **changes,
            }
        )
        self.say(update)
        return update

    def leave(self):
        """Say BYE: no round waits for it any more."""
        self.say(Bye(reason="enough"))

    # ---- what it hears --------------------------------------------------------------------------

    def hear(self, within_s):
        """The next message; PING and PULL are answered meanwhile. None if there is none in time."""
        until = time.monotonic() + within_s
        while (left := until - time.monotonic()) > 0 and self._socket.poll(left * 1000, zmq.POLLIN):
            envelope = decode(self._socket.recv_multipart(), sender="coordinator")
            message = envelope.message
            self.heard.append(message)
            if isinstance(message, Welcome):
                self.epoch = envelope.epoch
            if isinstance(message, Ping):
                self.say(Pong(number=message.number))
            elif isinstance(message, Pull):
                data = self.blobs[message.blob][message.offset : message.offset + message.bytes]
                self.say(Chunk(blob=message.blob, offset=message.offset), data)
            else:
                return message
        return None

    def awaits(self, kind, where=lambda message: True, *, within_s=PATIENCE_S):
        """The next such message; others are passed over."""
        until = time.monotonic() + within_s
        while (left := until - time.monotonic()) > 0:
            message = self.hear(left)
            if isinstance(message, kind) and where(message):
                return message
        raise AssertionError(f"{self.name} heard no {kind.__name__} in {within_s} s, but {self.heard[-10:]}")

    def awaits_refusal(self, about="hello"):
        """The refusal it gets, in time."""
        return self.awaits(Refused, lambda message: message.about == about)

    def hears_nothing(self, seconds):
        """True if no message comes in this time."""
        return self.hear(seconds) is None

    @property
    def cut_off(self):
        """True once the connection is gone."""
        return not self._socket.getsockopt(zmq.EVENTS) & zmq.POLLOUT
