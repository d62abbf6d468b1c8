"""Makes messages that nobody should send of those that are sent."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Sequence
from typing import Any, Final

import orjson

from tests.fuzz.values import Values, written
from zfed.transport.base import Buffer
from zfed.wire.codec import decode
from zfed.wire.messages import MAX_CHUNK_BYTES, PROTOCOL

KEPT: Final = 64
"""Genuine messages that may be sent again."""

NOISE: Final = (
    b"",
    b"{}",
    b"[" * 5000,
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b'{"kind":"HELLO","kind":"BYE","epoch":0}',
    b'{"kind":"PONG","epoch":1,"number":1,"metrics":{"loss":1e999}}',
    b'{"kind":"BYE","epoch":0,"reason":"\xff\xfe"}',
    b" " * (1 << 18) + b" ",
)


class Forger:
    """Forges from what it has heard; `sender` is "node" or "coordinator", as for `zfed.wire.codec.decode`.

    Args:
        draw: All chance.
    """

    def __init__(self, draw: random.Random) -> None:
        self._draw = draw
        self._values = Values(draw)
        self._kept: dict[str, deque[list[Buffer]]] = {
            "node": deque(maxlen=KEPT),
            "coordinator": deque(maxlen=KEPT),
        }
        self._how = (
            (self._spoiled, 0.40),
            (self._invented, 0.30),
            (self._again, 0.15),
            (self._reframed, 0.06),
            (self._damaged, 0.06),
            (self._noise, 0.03),
        )

    def hear(self, sender: str, frames: Sequence[Buffer]) -> dict[str, Any]:
        """Learn from a genuine message; returns what its header says.

        Raises:
            RemoteProtocolError: If it is none that its sender may send, whatever that had been told.
        """
        decode(frames, sender=sender)
        self._kept[sender].append(list(frames))
        fields: dict[str, Any] = orjson.loads(frames[0])
        self._values.learn(fields)
        return fields

    def forge(self, sender: str, epoch: int) -> list[Buffer]:
        """A message in the name of `sender`, who must have been heard; mostly of the session `epoch`."""
        [how] = self._draw.choices([way for way, _ in self._how], [weight for _, weight in self._how])
        return how(sender, epoch)

    def _genuine(self, sender: str) -> list[Buffer]:
        return list(self._draw.choice(self._kept[sender]))

    def _header(self, fields: dict[str, Any], epoch: int) -> bytes:
        """The header of these fields, mostly of the session and protocol in which it is sent.

        Of another session it would be dropped unread, and whoever speaks another protocol is not heard again.
        """
        if self._draw.random() < 0.9 and fields.get("kind") != "HELLO":
            fields["epoch"] = epoch
        if self._draw.random() < 0.95 and "protocol" in fields:
            fields["protocol"] = PROTOCOL
        return written(fields)

    def _again(self, sender: str, epoch: int) -> list[Buffer]:
        """A message comes once more, late, maybe of another node."""
        header, *payload = self._genuine(sender)
        return [self._header(orjson.loads(header), epoch), *payload]

    def _spoiled(self, sender: str, epoch: int) -> list[Buffer]:
        """A genuine message, but for a few fields."""
        header, *payload = self._genuine(sender)
        fields = orjson.loads(header)
        for _ in range(self._draw.choice((1, 1, 1, 2, 3))):
            self._values.spoil(fields)
        return [self._header(fields, epoch), *payload]

    def _invented(self, sender: str, epoch: int) -> list[Buffer]:
        """Any message that the protocol has, whether or not it is its turn."""
        fields = self._values.message(sender)
        if self._draw.random() < 0.3:
            self._values.spoil(fields)
        payload = self._draw.randbytes(self._draw.choice((1, 24, 500)))
        return [self._header(fields, epoch), *([payload] if fields.get("kind") == "CHUNK" else [])]

    def _reframed(self, sender: str, epoch: int) -> list[Buffer]:
        """The right header with another payload, or none, or too many frames."""
        header = self._genuine(sender)[0]
        size = self._draw.choice((0, 1, 3, 24, 25, 4096, MAX_CHUNK_BYTES, MAX_CHUNK_BYTES + 1))
        return self._draw.choice(
            ([header, bytes(size)], [header], [], [header, b"x", b"y"], [b"", header], [header] * 1000)
        )

    def _damaged(self, sender: str, epoch: int) -> list[Buffer]:
        """Some bytes of the header are others, or gone."""
        frames = self._genuine(sender)
        header = bytearray(frames[0])
        for _ in range(self._draw.choice((1, 1, 2, 8))):
            place = self._draw.randrange(len(header) + 1)
            match self._draw.randrange(3):
                case 0:
                    header[place : place + 1] = self._draw.randbytes(1)
                case 1:
                    del header[place : place + self._draw.randint(1, 9)]
                case _:
                    header[place:place] = self._draw.choice((b"0", b'"', b"}", b"[", b",", b"-", b"9" * 30))
        return [bytes(header), *frames[1:]]

    def _noise(self, sender: str, epoch: int) -> list[Buffer]:
        """Nothing that this protocol has."""
        return [self._draw.choice((*NOISE, self._draw.randbytes(self._draw.randint(1, 300))))]
