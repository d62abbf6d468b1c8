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


@dataclass(frozen=True)
class FreeTable:
    """A TOML table whose keys are another's to check.

    Attributes:
        name: Of the table.
        flag: Gives one of its keys on a command line, as `key=value`; may be repeated.
        help: One line for `--help`.
        typed: A text of the flag that reads as a TOML value becomes that value; else it stays text, for
            whoever checks it knows what type it wants.
    """

    name: str
    flag: str
    help: str
    typed: bool = True

    @property
    def destination(self) -> str:
        """Its flag as an attribute's name."""
        return f"{self.name}_assignments"


TRAIN = FreeTable("train", "--train", "one key of [train], which the workers' task checks; may be repeated")

STRATEGY = FreeTable("strategy", "--option", "one option of the strategy; may be repeated")
"""Its keys are the parameters of the strategy's class."""

COORDINATOR_FREE = (TRAIN, STRATEGY)
"""The free tables of a coordinator; each stands in `CoordinatorConfig` under its name."""

TASK = FreeTable(
    "task",
    "--set",
    "one setting of the task, which never leaves this node; may be repeated",
    typed=False,
)
"""The free table of a node: its keys are the parameters of the task's class."""
