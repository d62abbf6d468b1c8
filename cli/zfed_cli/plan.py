"""Which processes a zfed.toml with `[[node]]` tables asks for: a coordinator and its nodes."""

from __future__ import annotations

from dataclasses import dataclass, replace

from zfed.config import DEFAULT_ADDRESS, CoordinatorConfig, NodeEntry
from zfed.errors import ConfigError

COORDINATOR = "coordinator"


@dataclass(frozen=True)
class Process:
    """One process to start: `arguments` is its command line after `zfed`; `threads` as in its `[[node]]`."""

    name: str
    arguments: list[str]
    threads: int = 0


def plan_processes(
    config: CoordinatorConfig, entries: list[NodeEntry], coordinator_arguments: list[str]
) -> list[Process]:
    """The coordinator first, then the nodes. A node that names no other address connects to where it listens.

    Raises:
        ConfigError: If a node has the coordinator's name.
    """
    if any(entry.config.name == COORDINATOR for entry in entries):
        raise ConfigError(f'a [[node]] may not have the name "{COORDINATOR}": it is the coordinator\'s here')
    address = connect_address(config.run.bind)
    nodes = [
        Process(
            entry.config.name,
            _connected(entry, address, config.run.insecure).arguments(),
            entry.config.threads,
        )
        for entry in entries
    ]
    return [Process(COORDINATOR, [COORDINATOR, *coordinator_arguments]), *nodes]


def connect_address(bind: str) -> str:
    """Where a node on the same machine reaches a coordinator that listens on `bind`."""
    for everywhere in ("://*:", "://0.0.0.0:", "://[::]:"):
        bind = bind.replace(everywhere, "://127.0.0.1:")
    return bind


def _connected(entry: NodeEntry, address: str, insecure: bool) -> NodeEntry:
    config = replace(entry.config, insecure=entry.config.insecure or insecure)
    if config.connect == DEFAULT_ADDRESS:
        config = replace(config, connect=address)
    return replace(entry, config=config)
