"""The `[[node]]` tables of a zfed.toml: the workers and evaluators that launch and demo start."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from zfed.config.nearest import suggestion
from zfed.config.records import NodeConfig
from zfed.config.resolve import record_from_toml
from zfed.config.tables import NODE
from zfed.config.toml_document import Document, toml_key, toml_text
from zfed.errors import ConfigError

KINDS = ("worker", "evaluator")


@dataclass(frozen=True)
class NodeEntry:
    """One node to start; `settings` are its task's."""

    kind: str
    config: NodeConfig
    settings: dict[str, Any]

    def arguments(self) -> list[str]:
        """The command line after `zfed` that starts this node: what differs from the defaults."""
        arguments = [self.kind]
        for setting in NODE.settings:
            value = getattr(self.config, setting.field)
            if value != setting.default:
                arguments += setting.arguments(value)
        for key, value in self.settings.items():
            arguments += ["--set", f"{key}={value if isinstance(value, str) else toml_text(value)}"]
        return arguments


def node_entries_toml(entries: Iterable[NodeEntry]) -> str:
    """The entries as `[[node]]` tables: what differs from the defaults."""
    return "\n".join(_entry_toml(entry) for entry in entries)


def node_entries(document: Document) -> list[NodeEntry]:
    """All nodes of a file, in its order.

    Raises:
        ConfigError: If a kind or key is unknown, a value is wrong, or a name is missing or taken twice.
    """
    tables = document.tables.get(NODE.name, [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ConfigError(f"{document.name}: write one [[node]] for each worker and evaluator")
    entries = [
        _entry(dict(table), f"{document.name}: [[node]] {number}")
        for number, table in enumerate(tables, start=1)
    ]
    names = [entry.config.name for entry in entries]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f'{document.name}: two [[node]] tables have the name "{name}"')
    return entries


def _entry_toml(entry: NodeEntry) -> str:
    values: dict[str, Any] = {"kind": entry.kind}
    for setting in NODE.settings:
        value = getattr(entry.config, setting.field)
        if value != setting.default:
            values[setting.key] = value
    if entry.settings:
        values["set"] = entry.settings
    assignments = (f"{toml_key(key)} = {toml_text(value)}" for key, value in values.items())
    return "\n".join(["[[node]]", *assignments]) + "\n"


def _entry(table: dict[str, Any], where: str) -> NodeEntry:
    kind = table.pop("kind", None)
    if kind not in KINDS:
        hint = suggestion(kind, KINDS) if isinstance(kind, str) else 'write kind = "worker" or "evaluator"'
        raise ConfigError(
            f"{where}: kind is {kind!r}; {hint}" if kind is not None else f"{where}: no kind; {hint}"
        )
    settings = table.pop("set", {})
    if not isinstance(settings, dict):
        raise ConfigError(f"{where}: set is not a table; write set = {{key = value}}")
    config = record_from_toml(NODE, table, where)
    if not config.name:
        raise ConfigError(f"{where}: no name")
    return NodeEntry(kind, config, settings)
