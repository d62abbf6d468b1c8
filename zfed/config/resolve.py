"""Where the values of a configuration come from: flags, then the environment, then a file, then defaults.

Pure: the command line is a mapping, the environment is a mapping, a file is a `Document`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from zfed.config.nearest import suggestion
from zfed.config.records import CoordinatorConfig, NodeConfig
from zfed.config.tables import COORDINATOR, COORDINATOR_FREE, NODE, TASK, FreeTable, Table
from zfed.config.toml_document import Document, toml_value
from zfed.config.values import value_from_text, value_from_toml
from zfed.errors import ConfigError

BY_DEFAULT: Final = "default"
"""Origin of a value that nobody gave."""

Origins = dict[str, dict[str, str]]
"""Table -> key -> where its value comes from: a flag, a variable, `zfed.toml:[run]` or `default`."""


@dataclass(frozen=True)
class Inputs:
    """All that a person said, in order of precedence.

    Attributes:
        flags: Text by `Setting.destination`.
        assignments: `key=value` texts by the name of their free table.
        environment: As `os.environ`.
        document: The configuration file.
    """

    flags: Mapping[str, str] = field(default_factory=dict)
    assignments: Mapping[str, Sequence[str]] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    document: Document = field(default_factory=Document)


@dataclass(frozen=True)
class ResolvedCoordinator:
    """A coordinator's configuration, and where each value comes from."""

    config: CoordinatorConfig
    origins: Origins


@dataclass(frozen=True)
class ResolvedNode:
    """A worker's or evaluator's configuration, its task's settings, and where each value comes from."""

    config: NodeConfig
    settings: dict[str, Any]
    origins: Origins


def resolve_coordinator(inputs: Inputs) -> ResolvedCoordinator:
    """What `zfed coordinator` runs with. `[[node]]` tables are for launch and demo, so they may be there.

    Raises:
        ConfigError: If a table or key is unknown, or a value is of another type or out of range.
    """
    tables = [table.name for table in (*COORDINATOR, *COORDINATOR_FREE)]
    _check_tables(inputs.document, known=(*tables, NODE.name))
    records: dict[str, Any] = {}
    origins: Origins = {}
    for table in COORDINATOR:
        siblings = [other for other in COORDINATOR if other is not table]
        records[table.name], origins[table.name] = _resolve_table(table, inputs, siblings)
    for free in COORDINATOR_FREE:
        records[free.name], origins[free.name] = _resolve_free(free, inputs)
    return ResolvedCoordinator(CoordinatorConfig(**records), origins)


def resolve_node(inputs: Inputs) -> ResolvedNode:
    """What `zfed worker` and `zfed evaluator` run with.

    A task's setting given by `--set` stays text: only the task's class knows what type it wants.

    Raises:
        ConfigError: As `resolve_coordinator`.
    """
    if isinstance(inputs.document.tables.get(NODE.name), list):
        raise ConfigError(
            f"{inputs.document.name}: [[node]] tables are for zfed launch and zfed demo; "
            "a worker or evaluator has one [node]"
        )
    _check_tables(inputs.document, known=(NODE.name, TASK.name))
    config, origins = _resolve_table(NODE, inputs)
    settings, settings_origins = _resolve_free(TASK, inputs)
    return ResolvedNode(config, settings, {NODE.name: origins, TASK.name: settings_origins})


def parse_assignment(text: str, flag: str) -> tuple[str, str]:
    """Split `key=value`.

    Raises:
        ConfigError: If there is no `=`, or no key before it.
    """
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f'{flag}: "{text}" is not key=value')
    return key.strip(), value


def record_from_toml(
    table: Table, values: Mapping[str, object], where: str, siblings: Iterable[Table] = ()
) -> Any:
    """The table's record with these values and the defaults of the others.

    Raises:
        ConfigError: As `resolve_coordinator`; `where` opens the message.
    """
    check_keys(values, table, where, siblings)
    return table.record(
        **{
            setting.field: value_from_toml(setting, values[setting.key], f"{where} {setting.key}")
            for setting in table.settings
            if setting.key in values
        }
    )


def check_keys(values: Iterable[str], table: Table, where: str, siblings: Iterable[Table] = ()) -> None:
    """Refuse the first key that the table does not have.

    Raises:
        ConfigError: Names the table that does have it, or the nearest key.
    """
    known = [setting.key for setting in table.settings]
    for key in values:
        if key in known:
            continue
        for sibling in siblings:
            if any(setting.key == key for setting in sibling.settings):
                raise ConfigError(f'{where} has no key "{key}"; it belongs in [{sibling.name}]')
        raise ConfigError(f'{where} has no key "{key}"; {suggestion(key, known)}')


def _resolve_table(
    table: Table, inputs: Inputs, siblings: Iterable[Table] = ()
) -> tuple[Any, dict[str, str]]:
    values = _document_table(inputs.document, table.name)
    check_keys(values, table, f"{inputs.document.name}: [{table.name}]", siblings)
    fields: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for setting in table.settings:
        if setting.destination in inputs.flags:
            origin = setting.flag
            value = value_from_text(setting, inputs.flags[setting.destination], origin)
        elif inputs.environment.get(setting.variable):
            origin = setting.variable
            value = value_from_text(setting, inputs.environment[setting.variable], origin)
        elif setting.key in values:
            origin = f"{inputs.document.name}:[{table.name}]"
            where = f"{inputs.document.name}: [{table.name}] {setting.key}"
            value = value_from_toml(setting, values[setting.key], where)
        else:
            origin, value = BY_DEFAULT, setting.default
        fields[setting.field] = value
        origins[setting.key] = origin
    return table.record(**fields), origins


def _resolve_free(table: FreeTable, inputs: Inputs) -> tuple[dict[str, Any], dict[str, str]]:
    """A table whose keys another knows: the file's values, then the flag's."""
    values = dict(_document_table(inputs.document, table.name))
    origins = dict.fromkeys(values, f"{inputs.document.name}:[{table.name}]")
    for assignment in inputs.assignments.get(table.name, ()):
        key, text = parse_assignment(assignment, table.flag)
        values[key] = _value_or_text(text) if table.typed else text
        origins[key] = table.flag
    return values, origins


def _value_or_text(text: str) -> Any:
    try:
        return toml_value(text)
    except ValueError:
        return text


def _check_tables(document: Document, known: Sequence[str]) -> None:
    for name in document.tables:
        if name not in known:
            raise ConfigError(f"{document.name}: unknown table [{name}]; {suggestion(name, known)}")


def _document_table(document: Document, name: str) -> Mapping[str, Any]:
    values = document.tables.get(name, {})
    if not isinstance(values, dict):
        raise ConfigError(f"{document.name}: {name} is not a table; write [{name}] above its keys")
    return values
