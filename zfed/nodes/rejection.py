"""What a node makes of connections that are refused before a word is said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

ATTEMPTS: Final = 3
PATIENCE_S: Final = 2.0
"""A handshake that fails once, or for a moment, may be a coordinator that is just being killed or started."""


@dataclass
class Rejection:
    """Counts failed handshakes, and says when to give up and why.

    A node that was let in once goes on trying when handshakes fail: its keys were right.

    Args:
        node: This node's name.
        public_key: Its public key as people copy it; empty if it has none, and nothing is encrypted.
        coordinators: Fingerprint of the key that is expected at each address.
    """

    node: str
    public_key: str = ""
    coordinators: Mapping[str, str] = field(default_factory=dict)
    _failed: int = 0
    _since: float = 0.0
    _was_let_in: bool = False

    def let_in(self) -> None:
        """There is a session."""
        self._failed = 0
        self._was_let_in = True

    def not_enrolled(self, address: str) -> str:
        """Why to give up when the key of this node is not known."""
        return (
            f"refused by the coordinator: not enrolled here: at {address} this node's key is not known; let "
            f"it in on that machine: zfed enroll {self.node} {self.public_key}"
        )

    def handshake_failed(self, address: str, now: float) -> str:
        """Why to give up when handshakes fail without a word; empty while it is too early to tell."""
        if not self._failed:
            self._since = now
        self._failed += 1
        if self._was_let_in or self._failed < ATTEMPTS or now - self._since < PATIENCE_S:
            return ""
        if not self.public_key:
            return (
                f"what listens at {address} takes no unencrypted connection: probably a coordinator that "
                "asks for keys; start this node without --insecure"
            )
        return (
            f"the handshake with {address} failed {self._failed} times without a word: probably the wrong "
            f"coordinator key. Expected is {self.coordinators.get(address, 'another')}; compare it with "
            "`zfed keys show coordinator` on that machine, and correct --coordinator-key or "
            "known-coordinators. (It would look the same if that coordinator runs with --insecure, or if "
            "something else listens)"
        )
