"""Messages to frames and back.

A message is one frame, the header, and for CHUNK a second one, the payload. The header is a JSON object:
the record's fields, its `kind`, and `epoch`, the number of the session (0 before WELCOME is known).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import msgspec
import orjson

from zfed.errors import LocalProtocolError, RemoteProtocolError
from zfed.wire.messages import (
    FROM_COORDINATOR,
    FROM_NODE,
    MAX_CHUNK_BYTES,
    PROTOCOL,
    AnyMessage,
    Chunk,
)

Buffer: TypeAlias = "bytes | memoryview"

MAX_HEADER_BYTES = 1 << 18
MAX_EPOCH = 1 << 62
KINDS: dict[str, dict[str, Any]] = {"node": FROM_NODE, "coordinator": FROM_COORDINATOR}


class OtherProtocolError(RemoteProtocolError):
    """A HELLO or ENROLL of another protocol version; `seen` is its name for it."""

    def __init__(self, seen: object) -> None:
        super().__init__(f"protocol {_shown(seen)!r} is not spoken here, only {PROTOCOL!r}")
        self.seen = seen


class Envelope(msgspec.Struct, frozen=True):
    """A decoded message with its session's epoch and, for CHUNK, its payload."""

    epoch: int
    message: AnyMessage
    payload: Buffer | None = None


def encode(message: AnyMessage, *, epoch: int, payload: Buffer | None = None) -> list[Buffer]:
    """The frames of a message; the payload is not copied.

    Raises:
        LocalProtocolError: If the header is too long, or a payload is there without need or the reverse.
    """
    if (payload is not None) != isinstance(message, Chunk):
        raise LocalProtocolError(
            f"{type(message).__name__} with payload {payload is not None}: only CHUNK has one"
        )
    fields = msgspec.to_builtins(message)
    fields["epoch"] = epoch
    header = orjson.dumps(fields)
    if len(header) > MAX_HEADER_BYTES:
        raise LocalProtocolError(f"header of {len(header)} bytes, limit is {MAX_HEADER_BYTES}")
    return [header] if payload is None else [header, payload]


def decode(frames: Sequence[Buffer], *, sender: str) -> Envelope:
    """The message in these frames.

    Args:
        frames: One or two frames, any bytes.
        sender: "node" or "coordinator": kinds that only the other may send are refused.

    Raises:
        OtherProtocolError: If it is a HELLO or ENROLL of another protocol version.
        RemoteProtocolError: If it is anything else that zfed/1 does not allow; the text says what and where.
    """
    if not 1 <= len(frames) <= 2:
        raise RemoteProtocolError(f"{len(frames)} frames, a message has 1 or 2")
    if len(frames[0]) > MAX_HEADER_BYTES:
        raise RemoteProtocolError(f"header of {len(frames[0])} bytes, limit is {MAX_HEADER_BYTES}")
    fields = _parsed(frames[0])
    kind = fields.get("kind")
    record = KINDS[sender].get(kind) if isinstance(kind, str) else None
    if record is None:
        raise RemoteProtocolError(f"a {sender} sends no message of kind {_shown(kind)!r}")
    if kind in ("HELLO", "ENROLL") and fields.get("protocol") != PROTOCOL:
        raise OtherProtocolError(fields.get("protocol"))
    epoch = fields.get("epoch")
    if type(epoch) is not int or not 0 <= epoch < MAX_EPOCH:
        raise RemoteProtocolError(f"{kind}: epoch is {_shown(epoch)}, expected an integer from 0")
    try:
        message: AnyMessage = msgspec.convert(fields, record)
    except (msgspec.ValidationError, RecursionError) as error:
        raise RemoteProtocolError(f"{kind}: {str(error)[:500]}") from error
    return Envelope(epoch, message, _payload(message, frames))


def _parsed(header: Buffer) -> dict[str, Any]:
    try:
        fields = orjson.loads(header)  # also refuses 1e999, which would be infinity, and deep nesting
    except orjson.JSONDecodeError as error:
        raise RemoteProtocolError(f"header is not JSON: {str(error)[:200]}") from error
    if not isinstance(fields, dict):
        raise RemoteProtocolError(f"header is a JSON {type(fields).__name__}, expected an object")
    return fields


def _shown(value: object) -> str:
    """A JSON value for a person, in at most 40 characters; of a deep one not even `str` comes back."""
    return f"(a JSON {type(value).__name__})" if isinstance(value, (dict, list)) else str(value)[:40]


def _payload(message: AnyMessage, frames: Sequence[Buffer]) -> Buffer | None:
    kind = type(message).__name__.upper()
    if not isinstance(message, Chunk):
        if len(frames) != 1:
            raise RemoteProtocolError(f"{kind} has a payload, only CHUNK may")
        return None
    if len(frames) != 2:
        raise RemoteProtocolError("CHUNK has no payload")
    if not 1 <= len(frames[1]) <= MAX_CHUNK_BYTES:
        raise RemoteProtocolError(f"CHUNK of {len(frames[1])} bytes, allowed are 1 to {MAX_CHUNK_BYTES}")
    return frames[1]
