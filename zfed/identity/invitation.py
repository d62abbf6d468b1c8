"""An invitation: one word that lets one device enrol itself once.

A token is `zfed-invite-` and base64url, unpadded, of

    version (1 byte), expiry (8, seconds since 1970), coordinator's CURVE key (32), one-time CURVE
    secret (32), length of the name (1), name, address, first 4 bytes of the SHA-256 of all that

Big-endian; name and address are ASCII. The checksum finds a token that was cut short or mistyped before
anything is made of it; it proves nothing.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import struct
from dataclasses import dataclass, field
from typing import Final

from zfed.errors import UsageError
from zfed.identity.curves import curve_public, new_curve_secret
from zfed.identity.names import checked_name
from zfed.identity.utc import LAST

PREFIX: Final = "zfed-invite-"
VERSION: Final = 1
MOST_ADDRESS_BYTES: Final = 512

_HEAD: Final = struct.Struct(">BQ32s32sB")
_CHECK_BYTES: Final = 4
_LONGEST: Final = len(PREFIX) + 4 * (_HEAD.size + 64 + MOST_ADDRESS_BYTES + _CHECK_BYTES)
_ADDRESS: Final = r"tcp://[!-+\--~]+:[0-9]+"  # printable ASCII but for the comma
_ADDRESSES: Final = re.compile(rf"{_ADDRESS}(,{_ADDRESS})*")


@dataclass(frozen=True, kw_only=True)
class Invitation:
    """What a token says; whoever has it may enrol the node `node`.

    Attributes:
        node: The name that the device will have.
        address: Where the coordinator listens, as `--connect`.
        coordinator: Its CURVE public key.
        secret: The one-time CURVE secret key.
        expires: Until when it can be used, in seconds since 1970.

    Raises:
        UsageError: If it is none that a token can carry.
    """

    node: str
    address: str
    coordinator: bytes
    secret: bytes = field(repr=False)
    expires: int

    def __post_init__(self) -> None:
        checked_name(self.node)
        if not _ADDRESSES.fullmatch(self.address) or len(self.address) > MOST_ADDRESS_BYTES:
            raise UsageError(
                f"{self.address[:100]!r} is no address for an invitation: expected tcp://HOST:PORT, or "
                f"several separated by commas, of at most {MOST_ADDRESS_BYTES} letters"
            )
        if len(self.coordinator) != 32 or len(self.secret) != 32:
            raise UsageError("a key of an invitation does not have 32 bytes")
        if not 0 <= self.expires <= LAST:
            raise UsageError(f"an invitation cannot expire at {self.expires} s, allowed are 0 to {LAST}")

    @classmethod
    def new(cls, *, node: str, address: str, coordinator: bytes, expires: int) -> Invitation:
        """An invitation with a new secret."""
        secret = new_curve_secret()
        return cls(node=node, address=address, coordinator=coordinator, secret=secret, expires=expires)

    @property
    def public(self) -> bytes:
        """The public half of the one-time key, 32 bytes."""
        return curve_public(self.secret)

    @property
    def text(self) -> str:
        """The token."""
        node = self.node.encode()
        head = _HEAD.pack(VERSION, self.expires, self.coordinator, self.secret, len(node))
        body = head + node + self.address.encode()
        return PREFIX + base64.urlsafe_b64encode(body + _checksum(body)).decode().rstrip("=")

    @classmethod
    def parse(cls, token: str) -> Invitation:
        """Read a token.

        Raises:
            UsageError: If it is none. The message does not repeat it: it may be a secret with a typing error.
        """
        if not token.startswith(PREFIX):
            raise UsageError(
                f"this is no invitation: expected a word that begins with {PREFIX}, see zfed invite"
            )
        packed = _decoded(token)
        body, checksum = packed[:-_CHECK_BYTES], packed[-_CHECK_BYTES:]
        if len(body) < _HEAD.size or checksum != _checksum(body):
            raise _damaged()
        version, expires, coordinator, secret, length = _HEAD.unpack_from(body)
        if version != VERSION:
            raise UsageError(
                f"this invitation is of format {version}, only {VERSION} is known here: another version of "
                "zfed made it"
            )
        try:
            text = body[_HEAD.size :].decode("ascii")
        except UnicodeDecodeError:
            raise _damaged() from None
        return cls(
            node=text[:length], address=text[length:], coordinator=coordinator, secret=secret, expires=expires
        )


def _decoded(token: str) -> bytes:
    """The bytes of a token; one that is not spelled exactly as it would be is none."""
    word = token.removeprefix(PREFIX)
    if len(token) > _LONGEST or not word.isascii():
        raise _damaged()
    try:
        packed = base64.b64decode(word + "=" * (-len(word) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        raise _damaged() from None
    if base64.urlsafe_b64encode(packed).decode().rstrip("=") != word:
        raise _damaged()
    return packed


def _checksum(body: bytes) -> bytes:
    return hashlib.sha256(body).digest()[:_CHECK_BYTES]


def _damaged() -> UsageError:
    return UsageError("this invitation is damaged: copy all of it, one word without spaces or line ends")
