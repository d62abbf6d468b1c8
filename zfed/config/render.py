"""Resolved configurations as TOML: what `--print-config` shows and what a run keeps as run.toml."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zfed.config.records import CoordinatorConfig, NodeConfig
from zfed.config.resolve import Origins
from zfed.config.tables import COORDINATOR, COORDINATOR_FREE, NODE, RUN, TASK, Table
from zfed.config.toml_document import toml_key, toml_text

_LONGEST_ALIGNED = 48
"""Up to this many characters, origins stand in one column: one long path must not push out all others."""


def coordinator_toml(config: CoordinatorConfig, origins: Origins | None = None) -> str:
    """A coordinator's configuration as a zfed.toml; with origins, each value's as a comment beside it."""
    tables = {table.name: _values(table, getattr(config, table.name)) for table in COORDINATOR}
    first = {
        RUN.name: tables.pop(RUN.name),
        **{free.name: getattr(config, free.name) for free in COORDINATOR_FREE},
    }
    return _document({**first, **tables}, origins or {})


def node_toml(config: NodeConfig, settings: Mapping[str, Any], origins: Origins | None = None) -> str:
    """A worker's or evaluator's configuration as a worker.toml."""
    return _document({NODE.name: _values(NODE, config), TASK.name: settings}, origins or {})


def _values(table: Table, record: object) -> dict[str, Any]:
    return {setting.key: getattr(record, setting.field) for setting in table.settings}


def _document(tables: Mapping[str, Mapping[str, Any]], origins: Origins) -> str:
    assignments = {
        name: {key: f"{toml_key(key)} = {toml_text(value)}" for key, value in values.items()}
        for name, values in tables.items()
    }
    lengths = [len(text) for lines in assignments.values() for text in lines.values()]
    width = max((length for length in lengths if length <= _LONGEST_ALIGNED), default=0)
    blocks = []
    for name, lines in assignments.items():
        known = origins.get(name, {})
        commented = [
            f"{text:<{width}}  # {known[key]}" if key in known else text for key, text in lines.items()
        ]
        blocks.append("\n".join([f"[{name}]", *commented]))
    return "\n\n".join(blocks) + "\n"
