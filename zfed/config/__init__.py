"""Settings: their records here; where values come from, beside it."""

from zfed.config.records import (
    DEFAULT_ADDRESS,
    CoordinatorConfig,
    EvaluateConfig,
    NodeConfig,
    ReportConfig,
    RunConfig,
    toml_key,
)

__all__ = [
    "DEFAULT_ADDRESS",
    "CoordinatorConfig",
    "EvaluateConfig",
    "NodeConfig",
    "ReportConfig",
    "RunConfig",
    "toml_key",
]
