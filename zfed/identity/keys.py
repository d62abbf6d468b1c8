"""A node's keys: the one that encrypts its connections, and the one that is its lasting identity.

The CURVE key is what the other end of a connection proves to have. It can be renewed: the Ed25519 key, which
stays, signs each. So a new CURVE key of a known node is told from a stranger's.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from zfed.errors import UsageError
from zfed.identity import curves
from zfed.wire.roster import KeyId

PUBLIC_MARK: Final = "zfed-key-"
SECRET_MARK: Final = "zfed-secret-"

_SIGNED: Final = b"zfed CURVE key\n"
"""Goes before the key that is signed, so that no signature of anything else can stand for one of a key."""


@dataclass(frozen=True)
class PublicKey:
    """What others may know of a node's keys; only `parse` and `NodeKey` make one, so the signature is good.

    Attributes:
        curve: The CURVE key, 32 bytes.
        signing: The Ed25519 key, 32 bytes.
        signature: Of the CURVE key by the other, 64 bytes.
    """

    curve: bytes
    signing: bytes
    signature: bytes

    @property
    def text(self) -> str:
        """One word that holds all of it, to paste."""
        return PUBLIC_MARK + _base64(self.curve + self.signing + self.signature)

    @property
    def key_id(self) -> KeyId:
        """The CURVE key as a connection's User-Id has it."""
        return key_id(self.curve)

    @property
    def fingerprint(self) -> str:
        """Of the Ed25519 key, so it outlives a rotation; in the form of ssh's, to compare by eye."""
        digest = hashlib.sha256(self.signing).digest()
        return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")

    @classmethod
    def parse(cls, text: str) -> PublicKey:
        """Read what `text` gave.

        Raises:
            UsageError: If it is no such word, or its signature is wrong. Says nothing of a secret key that
                was given by mistake.
        """
        if SECRET_MARK in text:  # also with something before it that was copied along
            raise UsageError(
                "this is a secret key, which never leaves its file; `zfed keys show` has the other"
            )
        raw = _from_base64(text.removeprefix(PUBLIC_MARK)) if text.startswith(PUBLIC_MARK) else b""
        if len(raw) != 32 + 32 + 64:
            raise UsageError(
                f"{_shortened(text)} is no public key; expected the whole word {PUBLIC_MARK}... that "
                "`zfed keys show` prints"
            )
        key = cls(raw[:32], raw[32:64], raw[64:])
        if not _is_vouched_for(key):
            raise UsageError(
                f"{_shortened(text)} is damaged: its signature is wrong; copy again what "
                "`zfed keys show` prints"
            )
        return key


@dataclass(frozen=True)
class NodeKey:
    """Both key pairs of a node. The secrets are in no representation of it.

    Attributes:
        curve_secret: 32 bytes.
        signing_secret: 32 bytes.
        public: The rest, which anybody may have.
    """

    curve_secret: bytes = field(repr=False)
    signing_secret: bytes = field(repr=False)
    public: PublicKey

    @classmethod
    def generate(cls) -> NodeKey:
        """New keys: a new node, as far as others can tell."""
        return cls._of(curves.new_curve_secret(), curves.new_signing_secret())

    def rotated(self) -> NodeKey:
        """A new CURVE key of the same node."""
        return self._of(curves.new_curve_secret(), self.signing_secret)

    def to_text(self) -> str:
        """The content of the secret file, one line."""
        return f"{SECRET_MARK}{_base64(self.curve_secret + self.signing_secret)}\n"

    @classmethod
    def parse(cls, text: str) -> NodeKey:
        """Read what `to_text` gave.

        Raises:
            UsageError: If it is something else; says nothing of what it is.
        """
        line = text.strip()
        raw = _from_base64(line.removeprefix(SECRET_MARK)) if line.startswith(SECRET_MARK) else b""
        if len(raw) != 32 + 32:
            raise UsageError(f"holds no secret key; expected one line {SECRET_MARK}...")
        return cls._of(raw[:32], raw[32:])

    @classmethod
    def _of(cls, curve_secret: bytes, signing_secret: bytes) -> NodeKey:
        curve = curves.curve_public(curve_secret)
        signature = curves.sign(signing_secret, _SIGNED + curve)
        return cls(
            curve_secret, signing_secret, PublicKey(curve, curves.signing_public(signing_secret), signature)
        )


@lru_cache(
    maxsize=10_000
)  # 0.1 ms each, and a coordinator reads its whole file again for each line that changes
def _is_vouched_for(key: PublicKey) -> bool:
    return curves.is_signed(key.signing, key.signature, _SIGNED + key.curve)


def key_id(curve: bytes) -> KeyId:
    """A public CURVE key as a connection's User-Id has it."""
    return _base64(curve)


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _from_base64(text: str) -> bytes:
    """The bytes of which `_base64` makes exactly this text; none if there are no such bytes."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars="-_", validate=True)
    except (binascii.Error, ValueError):
        return b""
    return data if _base64(data) == text else b""


def _shortened(text: str) -> str:
    return repr(text if len(text) <= 24 else f"{text[:20]}...")
