"""Keys for a coordinator and nodes that one command starts on this machine."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from zfed.config import NodeEntry
from zfed.identity import COORDINATOR, AuthorizedTable, KeysFolder

PREFIX = "zfed-keys-"
"""What the names of folders with throw-away keys begin with."""


def with_new_keys(entries: Sequence[NodeEntry], folder: KeysFolder) -> list[NodeEntry]:
    """Make keys for a coordinator and all nodes in an empty folder, enrol the nodes, and say so to them."""
    coordinator = folder.new_key(COORDINATOR).public
    keys = {entry.config.name: folder.new_key(entry.config.name).public for entry in entries}

    def all_enrolled(table: AuthorizedTable) -> AuthorizedTable:
        for name, key in keys.items():
            table = table.enrolled(name, key, now=int(time.time()), overlap_s=0)
        return table

    folder.authorized_nodes.edit(all_enrolled)
    return [
        replace(
            entry,
            config=replace(entry.config, keys=str(folder.path), coordinator_key=coordinator.text),
        )
        for entry in entries
    ]
