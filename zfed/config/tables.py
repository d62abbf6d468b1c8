"""The tables of a configuration, and what each setting in them is called where.

A setting's key in TOML is its field's name without the unit (`_s`). Its flag is that key with dashes, with
the table's prefix where two tables would clash, unless the record gives another; its environment variable
is ZFED_ and the flag in capitals: `[evaluate] rounds` is `--evaluate-rounds` and ZFED_EVALUATE_ROUNDS.
"""

from __future__ import annotations

import dataclasses
import typing
from dataclasses import dataclass
from typing import Any

from zfed.config.limits import Interval
from zfed.config.records import (
    EvaluateConfig,
    LimitsConfig,
    NodeConfig,
    ReportConfig,
    RunConfig,
    ScheduleConfig,
    SelectConfig,
)
from zfed.config.setting import Resumed


@dataclass(frozen=True)
class Setting:
    """One setting: what its record's field says, and its names.

    Attributes:
        field: Name of the record's field.
        key: Name in TOML.
        flag: As on a command line, with its dashes.
        variable: As in the environment.
        type: `str`, `bool`, `int`, `float`, `list[int]` or `list[str]`.
        default: The value where nobody gives one.
    """

    field: str
    key: str
    flag: str
    variable: str
    type: Any
    default: Any
    help: str
    metavar: str
    choices: tuple[str, ...]
    limits: Interval
    joined: bool
    size: bool
    resumed: Resumed

    @property
    def destination(self) -> str:
        """Its flag as an attribute's name."""
        return self.flag.removeprefix("--").replace("-", "_")

    def arguments(self, value: Any) -> list[str]:
        """The words of a command line that give it this value."""
        if self.type is bool:
            return [self.flag if value else f"--no-{self.flag.removeprefix('--')}"]
        return [self.flag, ",".join(map(str, value)) if isinstance(value, list) else str(value)]


@dataclass(frozen=True)
class Table:
    """A TOML table and the record that its settings fill; `prefix` is that of flags and variables."""

    name: str
    record: type
    prefix: str = ""

    @property
    def settings(self) -> tuple[Setting, ...]:
        """Its settings, in the order of the record."""
        types = typing.get_type_hints(self.record)
        return tuple(self._setting(field, types[field.name]) for field in dataclasses.fields(self.record))

    def _setting(self, field: dataclasses.Field[Any], type: Any) -> Setting:
        key = field.name.removesuffix("_s")
        made = field.default_factory
        says = dict(field.metadata)
        flag = says.pop("flag") or f"--{self.prefix}{key}".replace("_", "-")
        return Setting(
            field=field.name,
            key=key,
            flag=flag,
            variable=f"ZFED_{flag.removeprefix('--')}".replace("-", "_").upper(),
            type=type,
            default=field.default if made is dataclasses.MISSING else made(),
            **says,
        )


RUN = Table("run", RunConfig)
SCHEDULE = Table("schedule", ScheduleConfig)
SELECT = Table("select", SelectConfig)
EVALUATE = Table("evaluate", EvaluateConfig, prefix="evaluate-")
LIMITS = Table("limits", LimitsConfig, prefix="max-")
REPORT = Table("report", ReportConfig)
NODE = Table("node", NodeConfig)

COORDINATOR = (RUN, SCHEDULE, SELECT, EVALUATE, LIMITS, REPORT)
"""The tables of a coordinator; each stands in `CoordinatorConfig` under its name."""

TRAIN = "train"
"""The free table of a coordinator: its keys are the task's to check."""

TASK = "task"
"""The free table of a node: its keys are the parameters of the task's class."""
