"""What a model is, by its numbers."""

from __future__ import annotations

from typing import NamedTuple

from zfed.params import ParameterBuffer
from zfed.wire.digests import BULK, hasher_for


class Digests(NamedTuple):
    """`xxh3-128:<hex>` of what a model file holds.

    Attributes:
        content: Of the moving and then the frozen bytes, which is the data section of the file.
        moving: Of the moving bytes alone, under which nodes are offered them.
    """

    content: str
    moving: str


class ContentHasher:
    """Takes bytes a piece at a time and tells the digest of all so far."""

    def __init__(self) -> None:
        self._hasher = hasher_for(BULK)

    def update(self, data: memoryview) -> None:
        """Take the next piece."""
        self._hasher.update(data)

    @property
    def digest(self) -> str:
        """`xxh3-128:<hex>` of all pieces so far."""
        return f"{BULK}:{self._hasher.hexdigest()}"


def digests_of(buffer: ParameterBuffer) -> Digests:
    """The digests of a model in memory, in one pass."""
    hasher = ContentHasher()
    hasher.update(buffer.moving.data.data)
    moving = hasher.digest
    hasher.update(buffer.frozen.data.data)
    return Digests(hasher.digest, moving)


def content_digest(buffer: ParameterBuffer) -> str:
    """`Digests.content` of a model in memory."""
    return digests_of(buffer).content
