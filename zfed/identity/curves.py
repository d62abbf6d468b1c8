"""What zfed needs of two elliptic curves: the only file that imports `cryptography`.

A CURVE key of ZeroMQ is a key of X25519: the same 32 bytes, clamped when they are used.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey


def new_curve_secret() -> bytes:
    """32 random bytes of the operating system: a secret key of X25519."""
    return X25519PrivateKey.generate().private_bytes_raw()


def new_signing_secret() -> bytes:
    """32 random bytes of the operating system: a secret key of Ed25519."""
    return Ed25519PrivateKey.generate().private_bytes_raw()


def curve_public(secret: bytes) -> bytes:
    """The public key (32 bytes) of a secret key of X25519 (32 bytes)."""
    return X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()


def signing_public(secret: bytes) -> bytes:
    """The public key (32 bytes) of a secret key of Ed25519 (32 bytes)."""
    return Ed25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()


def sign(secret: bytes, data: bytes) -> bytes:
    """The signature (64 bytes) of data by a secret key of Ed25519; equal inputs, equal signature."""
    return Ed25519PrivateKey.from_private_bytes(secret).sign(data)


def is_signed(public: bytes, signature: bytes, data: bytes) -> bool:
    """True if the holder of an Ed25519 key, of 32 bytes, signed these data."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, data)
    except InvalidSignature:
        return False
    return True
