"""The configuration records: the one place where a setting has its name, type, default and explanation.

Flags, environment variables, TOML keys, `--print-config` and docs/configuration.md are all made from these;
`zfed.config.tables` says how.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from zfed.config.evaluate_config import EvaluateConfig
from zfed.config.limits_config import LimitsConfig
from zfed.config.node_config import NodeConfig
from zfed.config.report_config import ReportConfig
from zfed.config.run_config import RunConfig
from zfed.config.schedule_config import ScheduleConfig
from zfed.config.select_config import SelectConfig

__all__ = [
    "CoordinatorConfig",
    "EvaluateConfig",
    "LimitsConfig",
    "NodeConfig",
    "ReportConfig",
    "RunConfig",
    "ScheduleConfig",
    "SelectConfig",
]


@dataclass(frozen=True, kw_only=True)
class CoordinatorConfig:
    """Everything a coordinator needs.

    Attributes:
        train: Passed on to the tasks, which check it.
        strategy: Options of the strategy that `run` names, which checks them.
    """

    run: RunConfig = field(default_factory=RunConfig)
    train: dict[str, Any] = field(default_factory=dict)
    strategy: dict[str, Any] = field(default_factory=dict)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    select: SelectConfig = field(default_factory=SelectConfig)
    evaluate: EvaluateConfig = field(default_factory=EvaluateConfig)
    limits: LimitsConfig = field(default_factory=LimitsConfig)
    report: ReportConfig = field(default_factory=ReportConfig)
