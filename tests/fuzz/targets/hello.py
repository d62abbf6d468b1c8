"""What a HELLO asks for in words: a part of the data, a level of compression, tensors that stay exact."""

from __future__ import annotations

import msgspec

from tests.fuzz.target import Target
from tests.fuzz.targets.encodings import UPDATE
from tests.zfed.wire.strategies import hello
from zfed.compression import Encodings, checked_level, checked_model_level
from zfed.errors import LayoutError, RemoteProtocolError, UsageError
from zfed.nodes.admission import partition_of
from zfed.wire.codec import decode, encode
from zfed.wire.messages import Hello, PartitionClaim


def read(data: bytes) -> None:
    """Read one, and what its words mean."""
    message = decode([data], sender="node").message
    if not isinstance(message, Hello):
        raise RemoteProtocolError("no HELLO")
    if message.compress:
        checked_level(message.compress)
    if message.compress_model:
        checked_model_level(message.compress_model)
    Encodings(UPDATE.layout, message.exact).at("int8")
    str(partition_of(message.partition))


def seeds() -> list[bytes]:
    """Some that ask for something."""
    asked = msgspec.structs.replace(
        hello(),
        partition=PartitionClaim(labels=[0, 1], spec="dirichlet:0.3:1/10", seed=3),
        label_counts={"0": 3, "seven": 1},
        compress="topk:0.010",
        compress_model="int8",
        exact=["w", "[a-z]*", "?"],
    )
    return [bytes(encode(each, epoch=0)[0]) for each in (hello(), asked)]


TARGET = Target("hello", read, (LayoutError, RemoteProtocolError, UsageError, ValueError), seeds)
