"""Digests of blobs. What goes over the wire names its algorithm: `xxh3-128:<hex>` or `sha256:<hex>`.

A layout is known by its SHA-256 for ever, so its blob is offered under that. Bulk data are hashed at both
ends of every transfer, each round: XXH3 does that ten times as fast. It finds what was damaged, cut or mixed
up on the way; it is no defence against a forger, and need be none: whoever offers bytes also names their
digest, so who sent them is a matter of the session, not of the digest (see docs/adr/0010-two-digests.md).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Final, Protocol

import xxhash

from zfed.wire.messages import Blob

BULK: Final = "xxh3-128"
LAYOUT: Final = "sha256"


class Hasher(Protocol):
    """Takes bytes a piece at a time."""

    def update(self, data: bytes | memoryview, /) -> None:
        """Take the next piece."""

    def hexdigest(self) -> str:
        """The digest of all pieces so far, in lower-case hex."""


_HASHERS: Final[dict[str, Callable[[], Hasher]]] = {BULK: xxhash.xxh3_128, LAYOUT: hashlib.sha256}


def hasher_for(digest: str) -> Hasher:
    """A hasher of the algorithm that a digest of a decoded message names."""
    return _HASHERS[digest.partition(":")[0]]()


def digest_of(data: bytes | memoryview, algorithm: str = BULK) -> str:
    """The digest of these bytes, with its algorithm's name."""
    hasher = _HASHERS[algorithm]()
    hasher.update(data)
    return f"{algorithm}:{hasher.hexdigest()}"


def blob_of(name: str, data: bytes | memoryview) -> Blob:
    """The offer of bulk data."""
    return Blob(id=name, bytes=len(data), digest=digest_of(data))


def layout_blob(name: str, description: bytes | memoryview) -> Blob:
    """The offer of a layout's description; its digest is the layout's own."""
    return Blob(id=name, bytes=len(description), digest=digest_of(description, LAYOUT))
