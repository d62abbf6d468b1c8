"""The configuration of a run that is resumed: what it was begun with, but for what may be given anew.

`Setting.resumed` says which settings may. Those that make the run what it is may not, and neither may the
free tables: with other values it would be another run.
"""

from __future__ import annotations

from typing import Any, Final

from zfed.config.records import CoordinatorConfig
from zfed.config.resolve import BY_DEFAULT, Inputs, Origins, ResolvedCoordinator, resolve_coordinator
from zfed.config.tables import COORDINATOR, COORDINATOR_FREE, Table
from zfed.config.toml_document import Document, toml_text
from zfed.errors import ConfigError

BY_RUN: Final = "run.toml"
"""Origin of a value that the run was begun with."""


def resolve_resumed(inputs: Inputs, begun: Document) -> ResolvedCoordinator:
    """What `zfed coordinator` resumes a run with: the run's own file stands below all that a person says.

    Args:
        inputs: What is said for this start.
        begun: The run.toml of the run.

    Raises:
        ConfigError: As `resolve_coordinator`; also if a value would make another run of it.
    """
    given, kept = resolve_coordinator(inputs), _resolve_begun(begun)
    records: dict[str, Any] = {}
    origins: Origins = {}
    for table in COORDINATOR:
        records[table.name], origins[table.name] = _merged(table, given, kept)
    for free in COORDINATOR_FREE:
        values = {**getattr(kept.config, free.name), **getattr(given.config, free.name)}
        records[free.name] = values
        origins[free.name] = {key: given.origins[free.name].get(key, BY_RUN) for key in values}
    config = CoordinatorConfig(**records)
    _require_same_run(config, kept.config, origins, begun)
    return ResolvedCoordinator(config, origins)


def check_resumed(config: CoordinatorConfig, begun: Document) -> None:
    """Refuse a configuration, wherever it comes from, with which a run would become another one.

    Args:
        config: To resume the run with.
        begun: The run.toml of the run.

    Raises:
        ConfigError: If it would, or `begun` is no configuration.
    """
    _require_same_run(config, _resolve_begun(begun).config, {}, begun)


def _resolve_begun(begun: Document) -> ResolvedCoordinator:
    try:
        return resolve_coordinator(Inputs(document=begun))
    except ConfigError as error:
        raise ConfigError(
            f"{error} (zfed wrote this file when the run began: if nobody changed it since, resume with the"
            " version of zfed that began it)"
        ) from error


def _merged(
    table: Table, given: ResolvedCoordinator, kept: ResolvedCoordinator
) -> tuple[Any, dict[str, str]]:
    fields: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for setting in table.settings:
        source, origin = given, given.origins[table.name][setting.key]
        if origin == BY_DEFAULT and setting.resumed != "anew":
            source = kept
            origin = BY_DEFAULT if kept.origins[table.name][setting.key] == BY_DEFAULT else BY_RUN
        fields[setting.field] = getattr(getattr(source.config, table.name), setting.field)
        origins[setting.key] = origin
    return table.record(**fields), origins


def _require_same_run(
    config: CoordinatorConfig, kept: CoordinatorConfig, origins: Origins, begun: Document
) -> None:
    for table in COORDINATOR:
        for setting in table.settings:
            new, old = (getattr(getattr(each, table.name), setting.field) for each in (config, kept))
            if setting.resumed == "fixed" and new != old:
                raise _another_run(table.name, setting.key, new, old, origins, begun)
    for free in COORDINATOR_FREE:
        given, before = getattr(config, free.name), getattr(kept, free.name)
        for key in {**given, **before}:
            if given.get(key) != before.get(key):
                raise _another_run(free.name, key, given.get(key), before.get(key), origins, begun)


def _another_run(
    table: str, key: str, new: object, old: object, origins: Origins, begun: Document
) -> ConfigError:
    """The error about a setting that differs; None stands for a key that is not there."""
    origin = origins.get(table, {}).get(key, "")
    file = origin.removesuffix(f":[{table}]")
    if not origin:
        who = f"[{table}] {key}"
    elif file != origin:
        who = f"[{table}] {key} in {file}"
    else:
        who = f"{origin} {key}" if table in (free.name for free in COORDINATOR_FREE) else origin
    return ConfigError(
        f"{who} is {'not there' if new is None else toml_text(new)}, but the run was begun"
        f" {'without it' if old is None else f'with {toml_text(old)}'} ({begun.name}) and keeps that:"
        f" {'leave it away' if origin else 'give it that value'}, or begin another run with another --run"
    )
