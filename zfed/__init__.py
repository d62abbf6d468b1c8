"""Federated learning over ZeroMQ for people who own small machines with private data.

`zfed.Coordinator`, `zfed.Worker` and `zfed.Evaluator` are one node each; `zfed.Task` is what a user writes.
Names are loaded when they are first used, so that `import zfed` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from zfed.version import VERSION as __version__

if TYPE_CHECKING:
    from zfed.config import (
        CoordinatorConfig,
        EvaluateConfig,
        LimitsConfig,
        NodeConfig,
        ReportConfig,
        RunConfig,
    )
    from zfed.nodes.coordinator import Coordinator
    from zfed.nodes.evaluator import Evaluator
    from zfed.nodes.worker import Worker
    from zfed.params import ParameterBuffer, ParameterLayout, TensorKind
    from zfed.task import Context, DataSummary, EvaluateResult, Setup, Task, TrainResult

__all__ = [
    "Context",
    "Coordinator",
    "CoordinatorConfig",
    "DataSummary",
    "EvaluateConfig",
    "EvaluateResult",
    "Evaluator",
    "LimitsConfig",
    "NodeConfig",
    "ParameterBuffer",
    "ParameterLayout",
    "ReportConfig",
    "RunConfig",
    "Setup",
    "Task",
    "TensorKind",
    "TrainResult",
    "Worker",
    "__version__",
]

_HOMES = {
    "zfed.config": (
        "CoordinatorConfig",
        "EvaluateConfig",
        "LimitsConfig",
        "NodeConfig",
        "ReportConfig",
        "RunConfig",
    ),
    "zfed.nodes.coordinator": ("Coordinator",),
    "zfed.nodes.evaluator": ("Evaluator",),
    "zfed.nodes.worker": ("Worker",),
    "zfed.params": ("ParameterBuffer", "ParameterLayout", "TensorKind"),
    "zfed.task": ("Context", "DataSummary", "EvaluateResult", "Setup", "Task", "TrainResult"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'zfed' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOME_OF[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
