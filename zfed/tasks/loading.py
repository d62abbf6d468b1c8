"""From the text of `--task` and `--set` to a task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from zfed.errors import TaskError
from zfed.plugins import PluginKind
from zfed.task import Task

BUILT_IN_TASKS: Final = {
    "mnist": "zfed.tasks.mnist:Mnist",
    "fashion-mnist": "zfed.tasks.fashion_mnist:FashionMnist",
    "kmnist": "zfed.tasks.kmnist:Kmnist",
    "softmax": "zfed.tasks.softmax:Softmax",
    "echo": "zfed.tasks.echo:Echo",
    "torchvision": "zfed.tasks.torchvision_classifier:TorchvisionClassifier",
}
"""Built-in tasks by name: module and class."""

TASKS: Final = PluginKind(
    noun="task",
    base=Task,  # type: ignore[type-abstract]  # what is made is a class derived from it
    error=TaskError,
    built_in=BUILT_IN_TASKS,
    setting="setting",
    flag="--set",
)


def load_task(reference: str, settings: Mapping[str, Any]) -> Task:
    """Import a task's class and make the task; see `PluginKind.make`.

    Raises:
        TaskError: If there is no such task, or importing or making it failed.
        ConfigError: If a setting is unknown, missing or of the wrong type.
    """
    return TASKS.make(reference, settings)
