"""Whose keys a coordinator knows, and what each of them may do.

The key is the one that CURVE proved in the handshake of a connection; whatever name, kind or routing id a
node claims for itself, this is who it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

KeyId: TypeAlias = str
"""A node's CURVE public key: base64url without padding, 43 characters."""


@dataclass(frozen=True, kw_only=True)
class Enrolled:
    """A node that may take part.

    Attributes:
        node: The name that belongs to this key. In a rotation two keys have one name.
        key: The key.
        max_examples: Most examples it may declare; 0: as many as it likes.
        tags: What its coordinator's owner calls it, to select it by.
        objection: Why the key is not valid any more, a sentence; empty while it is.
    """

    node: str
    key: KeyId
    max_examples: int = 0
    tags: tuple[str, ...] = ()
    objection: str = ""


@dataclass(frozen=True, kw_only=True)
class Invited:
    """A one-time key with which a device may enrol the node `node`, and do nothing else."""

    node: str
    key: KeyId
    max_examples: int = 0
    tags: tuple[str, ...] = ()
    objection: str = ""


class Roster:
    """All keys that a coordinator lets in, be it only to tell them why it refuses them.

    Args:
        entries: One for each key; of two with one key the last counts.
    """

    def __init__(self, entries: Iterable[Enrolled | Invited] = ()) -> None:
        self._entries = {entry.key: entry for entry in entries}

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, key: KeyId) -> Enrolled | Invited | None:
        """What is known of this key."""
        return self._entries.get(key)
