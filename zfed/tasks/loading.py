"""From the text of `--task` and `--set` to a task: nothing is imported before it is asked for."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import sys
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from zfed.config.nearest import suggestion
from zfed.errors import ConfigError, TaskError, ZfedError
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

_TRUTHS: Final = {"true": True, "false": False}


def load_task(reference: str, settings: Mapping[str, Any]) -> Task:
    """Import a task's class and make the task.

    Args:
        reference: A built-in name, `module:Name` or `path/to/file.py:Name`. As for a script, modules are also
            looked for beside the file, or in the current folder.
        settings: What goes to `Name(**settings)`. Values may be text (`--set key=value`), which is read as
            the annotation of the parameter says; without one, it stays text.

    Raises:
        TaskError: If there is no such task, or importing or making it failed.
        ConfigError: If a setting is unknown, missing or of the wrong type.
    """
    task_class = _find_class(BUILT_IN_TASKS.get(reference, reference))
    checked = _checked_settings(reference, task_class, settings)
    try:
        return task_class(**checked)
    except ZfedError:
        raise
    except Exception as error:  # abstract methods that a user's class still lacks end here too
        raise TaskError(f"task {reference!r}: making it failed: {type(error).__name__}: {error}") from error


def _find_class(reference: str) -> type[Task]:
    place, colon, name = reference.rpartition(":")
    if not colon:
        raise TaskError(f"unknown task {reference!r}{_remedy(reference)}")
    module = _import_file(Path(place)) if place.endswith(".py") else _import_module(place)
    found = getattr(module, name, None)
    if found is None:
        raise TaskError(f"{place} has no class {name!r}; {suggestion(name, _task_names(module))}")
    if not (isinstance(found, type) and issubclass(found, Task)):
        raise TaskError(f"{reference} is no task: it must be a class derived from zfed.task.Task")
    return found


def _remedy(reference: str) -> str:
    if reference.endswith(".py"):
        return f": add the name of its class, as {reference}:MyTask"
    return f"; {suggestion(reference, BUILT_IN_TASKS)} Your own is module:Name or path/to/file.py:Name"


def _task_names(module: ModuleType) -> list[str]:
    return [
        name
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, Task) and value.__module__ == module.__name__
    ]


def _import_file(path: Path) -> ModuleType:
    path = path.expanduser()
    if not path.is_file():
        raise TaskError(f"there is no task file {path} (looked in {Path.cwd()})")
    _search_first(path.resolve().parent)
    spec = importlib.util.spec_from_file_location(f"zfed_task_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise TaskError(f"{path} cannot be imported as a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up there
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[spec.name]
        raise _import_failed(str(path), error) from error
    return module


def _import_module(name: str) -> ModuleType:
    if not name.startswith("zfed."):
        _search_first(Path.cwd())
    try:
        return importlib.import_module(name)
    except Exception as error:
        raise _import_failed(name, error) from error


def _search_first(folder: Path) -> None:
    if os.fspath(folder) not in sys.path:
        sys.path.insert(0, os.fspath(folder))


def _import_failed(place: str, error: Exception) -> TaskError:
    if isinstance(error, ModuleNotFoundError) and error.name in ("torch", "torchvision"):
        return TaskError(
            f"{place} needs PyTorch, which is not installed: pip install 'zfed[torch]', or on a board the "
            "build of its vendor; the task 'softmax' needs none"
        )
    return TaskError(f"importing {place} failed: {type(error).__name__}: {error}")


def _checked_settings(reference: str, task_class: type[Task], settings: Mapping[str, Any]) -> dict[str, Any]:
    parameters = {
        parameter.name: parameter
        for parameter in inspect.signature(task_class).parameters.values()
        if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    }
    if not _takes_anything(task_class):
        for name in settings:
            if name not in parameters:
                raise ConfigError(
                    f"task {reference!r} has no setting {name!r}; {suggestion(name, parameters)}"
                )
    for name, parameter in parameters.items():
        if parameter.default is parameter.empty and name not in settings:
            raise ConfigError(f"task {reference!r} needs the setting {name!r}: --set {name}=VALUE")
    annotations = _annotations(task_class)
    return {name: _converted(name, value, annotations.get(name)) for name, value in settings.items()}


def _takes_anything(task_class: type[Task]) -> bool:
    parameters = inspect.signature(task_class).parameters.values()
    return any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)


def _annotations(task_class: type[Task]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(task_class.__init__)
    except NameError:  # an annotation that exists only for type checkers
        return {}


def _converted(name: str, value: Any, annotation: Any) -> Any:
    """Return value as its annotation says; text is parsed, an integer will do for a float."""
    choices = _simple_types(annotation)
    if not choices or type(value) in choices:
        return value
    if type(value) is int and float in choices:
        return float(value)
    if isinstance(value, str):
        for kind in (bool, int, float):
            if kind in choices:
                try:
                    return _TRUTHS[value.lower()] if kind is bool else kind(value)
                except (KeyError, ValueError):
                    continue
    expected = " or ".join(_words(kind) for kind in choices)
    raise ConfigError(f"setting {name} is {value!r}, expected {expected}")


def _simple_types(annotation: Any) -> list[type]:
    """The types that a setting may have; empty if the annotation says more than we can check."""
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        members = list(typing.get_args(annotation))
    else:
        members = [annotation]
    return members if all(kind in (bool, int, float, str, type(None)) for kind in members) else []


def _words(kind: type) -> str:
    return {bool: "true or false", int: "an integer", float: "a number", str: "text"}.get(kind, "nothing")
