"""Who is here, who is awaited, who takes part."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from zfed.engine import NodeReady
from zfed.errors import ConfigError
from zfed.wire.messages import NODE_NAME_PATTERN


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
    """The nodes that are here now, by name."""

    def __init__(self, present: Iterable[NodeReady] = ()) -> None:
        self._kinds: dict[str, dict[str, NodeReady]] = {"worker": {}, "evaluator": {}}
        for node in present:
            self.add(node)

    def __contains__(self, name: object) -> bool:
        return any(name in nodes for nodes in self._kinds.values())

    def __bool__(self) -> bool:
        return any(self._kinds.values())

    def add(self, node: NodeReady) -> None:
        """A node is here."""
        self._kinds[node.kind][node.node] = node

    def remove(self, name: str) -> bool:
        """A node is gone; False if it was not here."""
        return any([nodes.pop(name, None) for nodes in self._kinds.values()])

    @property
    def worker_count(self) -> int:
        """How many workers are here."""
        return len(self._kinds["worker"])

    @property
    def workers(self) -> list[NodeReady]:
        """In the order of their names, so that a run does not depend on who connected first."""
        return self._of_kind("worker")

    @property
    def evaluators(self) -> list[NodeReady]:
        """In the order of their names."""
        return self._of_kind("evaluator")

    def _of_kind(self, kind: str) -> list[NodeReady]:
        return [node for _, node in sorted(self._kinds[kind].items())]
