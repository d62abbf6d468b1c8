"""`zfed.wire.codec.decode`, as either side: frames are divided by a byte that no header holds."""

from __future__ import annotations

import random
from typing import Final

import orjson

from tests.fuzz.target import Target
from tests.fuzz.values import Values
from zfed.errors import LocalProtocolError, RemoteProtocolError
from zfed.wire.codec import KINDS, MAX_HEADER_BYTES, decode, encode
from zfed.wire.messages import PROTOCOL

BETWEEN: Final = b"\x1e"


def read(data: bytes) -> None:
    """Decode as what a node sent, and as what a coordinator sent."""
    frames = data.split(BETWEEN)
    refusals = []
    for sender in KINDS:
        try:
            envelope = decode(frames, sender=sender)
        except RemoteProtocolError as error:
            refusals.append(error)
            continue
        try:
            again = encode(envelope.message, epoch=envelope.epoch, payload=envelope.payload)
        except LocalProtocolError:
            assert len(frames[0]) > MAX_HEADER_BYTES // 8  # default fields, written out, made it too long
        else:
            assert decode(again, sender=sender) == envelope, "what was understood can be said again"
    assert all(len(str(refusal)) < 1000 for refusal in refusals), "a refusal is a sentence for a person"
    if len(refusals) == len(KINDS):
        raise refusals[0]


def seeds() -> list[bytes]:
    """One message of each kind."""
    values, seeds = Values(random.Random(1)), []
    for sender in KINDS:
        for kind in KINDS[sender]:
            fields = values.message(sender, kind)
            if "protocol" in fields:
                fields["protocol"] = PROTOCOL
            seeds.append(orjson.dumps(fields) + (BETWEEN + b"payload" if kind == "CHUNK" else b""))
    return seeds


TARGET = Target("codec", read, (RemoteProtocolError,), seeds)
