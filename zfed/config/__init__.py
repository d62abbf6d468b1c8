"""Settings: their records, how their values are resolved, and how both are shown."""

from zfed.config.nearest import nearest_name, suggestion
from zfed.config.node_entries import NodeEntry, node_entries, node_entries_toml
from zfed.config.records import (
    CoordinatorConfig,
    EvaluateConfig,
    LimitsConfig,
    NodeConfig,
    ReportConfig,
    RunConfig,
    ScheduleConfig,
    SelectConfig,
)
from zfed.config.render import coordinator_toml, node_toml
from zfed.config.resolve import (
    Inputs,
    Origins,
    ResolvedCoordinator,
    ResolvedNode,
    parse_assignment,
    resolve_coordinator,
    resolve_node,
)
from zfed.config.resume import check_resumed, resolve_resumed
from zfed.config.setting import DEFAULT_ADDRESS
from zfed.config.toml_document import Document, parse_document

__all__ = [
    "DEFAULT_ADDRESS",
    "CoordinatorConfig",
    "Document",
    "EvaluateConfig",
    "Inputs",
    "LimitsConfig",
    "NodeConfig",
    "NodeEntry",
    "Origins",
    "ReportConfig",
    "ResolvedCoordinator",
    "ResolvedNode",
    "RunConfig",
    "ScheduleConfig",
    "SelectConfig",
    "check_resumed",
    "coordinator_toml",
    "nearest_name",
    "node_entries",
    "node_entries_toml",
    "node_toml",
    "parse_assignment",
    "parse_document",
    "resolve_coordinator",
    "resolve_node",
    "resolve_resumed",
    "suggestion",
]
