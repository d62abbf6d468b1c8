"""Who is here, who is awaited, who takes part."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from zfed.engine import NodeReady
from zfed.errors import ConfigError
from zfed.tags import TagExpression
from zfed.wire.messages import NODE_NAME_PATTERN

MOST_NAMED: Final = 8
"""Of those who cannot be asked, so many are named when a run waits."""


@dataclass(frozen=True)
class WaitFor:
    """What `--wait-for` asks: so many workers (`count`), or these nodes by name."""

    count: int = 1
    names: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> WaitFor:
        """Read "3" or "alice,bob,charlie".

        Raises:
            ConfigError: If it is neither, or names what no node can be called.
        """
        names = tuple(name.strip() for name in text.split(",") if name.strip())
        if len(names) == 1 and names[0].isdecimal():
            if int(names[0]) < 1:
                raise ConfigError(f"--wait-for {text}: at least 1 worker is needed")
            return cls(count=int(names[0]))
        if not names:
            raise ConfigError("--wait-for is empty: give a number of workers, or names as alice,bob")
        for name in names:
            if not re.match(NODE_NAME_PATTERN, name):
                raise ConfigError(f"--wait-for {text}: no node can have the name {name!r}")
        return cls(count=0, names=names)

    @property
    def nodes(self) -> int:
        """How many nodes are awaited."""
        return max(self.count, len(self.names))

    def missing(self, roster: Roster) -> str:
        """Who is still awaited, in words; empty if nobody. A run without any worker always waits for one."""
        absent = [name for name in self.names if name not in roster]
        if absent:
            return ", ".join(absent)
        lacking = max(self.count, 1) - roster.worker_count
        return f"{lacking} more worker{'s' if lacking > 1 else ''}" if lacking > 0 else ""


class Roster:
    """The nodes that are here now, by name.

    Args:
        present: Who is here already.
        where: Which workers may be asked at all.
    """

    def __init__(self, present: Iterable[NodeReady] = (), *, where: TagExpression | None = None) -> None:
        self._where = where or TagExpression()
        self._kinds: dict[str, dict[str, NodeReady]] = {"worker": {}, "evaluator": {}}
        self._candidates: dict[str, NodeReady] = {}
        self._in_order: list[NodeReady] | None = None
        for node in present:
            self.add(node)

    def __contains__(self, name: object) -> bool:
        return any(name in nodes for nodes in self._kinds.values())

    def __bool__(self) -> bool:
        return any(self._kinds.values())

    def add(self, node: NodeReady) -> None:
        """A node is here, or there is something else to know of it."""
        self.remove(node.node)
        self._kinds[node.kind][node.node] = node
        if node.kind == "worker" and not node.unready and self._where.matches(node.tags):
            self._candidates[node.node] = node
            self._in_order = None

    def tell_readiness(self, name: str, unready: str) -> None:
        """A node that is here can work, or says why it cannot."""
        for nodes in self._kinds.values():
            if name in nodes:
                self.add(replace(nodes[name], unready=unready))
                return

    def remove(self, name: str) -> bool:
        """A node is gone; False if it was not here."""
        if self._candidates.pop(name, None):
            self._in_order = None
        return any([nodes.pop(name, None) for nodes in self._kinds.values()])

    def held_out(self, worker: str) -> int:
        """How many examples a worker holds out; none if it is not here."""
        ready = self._kinds["worker"].get(worker)
        return 0 if ready is None else ready.held_out

    @property
    def worker_count(self) -> int:
        """How many workers are here."""
        return len(self._kinds["worker"])

    @property
    def candidate_count(self) -> int:
        """How many workers may be asked: here, ready, and with the tags that are selected."""
        return len(self._candidates)

    @property
    def candidates(self) -> Sequence[NodeReady]:
        """The workers that may be asked, in the order of their names: who came first shall not matter."""
        if self._in_order is None:
            self._in_order = [node for _, node in sorted(self._candidates.items())]
        return self._in_order

    @property
    def workers(self) -> list[NodeReady]:
        """All workers, in the order of their names."""
        return self._of_kind("worker")

    @property
    def evaluators(self) -> list[NodeReady]:
        """The evaluators that are ready, in the order of their names."""
        return [node for node in self._of_kind("evaluator") if not node.unready]

    @property
    def root_evaluators(self) -> list[NodeReady]:
        """Those of the evaluators that keep examples to train on, too."""
        return [node for node in self.evaluators if node.held_out]

    def not_asked(self) -> str:
        """Which workers are here and cannot be asked, and why; empty if there is none."""
        others = [node for node in self.workers if node.node not in self._candidates]
        unready = [f"{node.node} is not ready: {node.unready}" for node in others if node.unready]
        unselected = [node.node for node in others if not node.unready]
        words = _first_few(unready, "; ")
        if unselected:
            words += f"{'; ' if words else ''}--select {self._where.text} does not mean "
            words += _first_few(unselected, ", ")
        return words

    def _of_kind(self, kind: str) -> list[NodeReady]:
        return [node for _, node in sorted(self._kinds[kind].items())]


def _first_few(words: list[str], between: str) -> str:
    more = len(words) - MOST_NAMED
    return between.join([*words[:MOST_NAMED], *([f"{more} more"] if more > 0 else [])])
