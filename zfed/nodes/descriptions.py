"""How much of the descriptions of their layouts nodes have sent before they are admitted."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(eq=False)
class Descriptions:
    """Bounds what nodes that may never be admitted make a coordinator keep.

    Attributes:
        limit: Bytes of all nodes together.
    """

    limit: int
    _kept: dict[str, int] = field(default_factory=dict)
    _total: int = 0

    def add(self, node: str, nbytes: int) -> str | None:
        """A node has sent so much more; returns who must go, if that is too much.

        That is who has sent most: one that claims a long description and stalls keeps nobody else out.
        """
        self._kept[node] = self._kept.get(node, 0) + nbytes
        self._total += nbytes
        if self._total <= self.limit:
            return None
        return max(self._kept, key=self._kept.__getitem__)

    def drop(self, node: str) -> int:
        """What this node has sent is not kept any more; returns how much that was."""
        nbytes = self._kept.pop(node, 0)
        self._total -= nbytes
        return nbytes
