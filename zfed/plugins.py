"""Classes that a user plugs in by name: nothing is imported before it is asked for."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import sys
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final, Generic, TypeVar

from zfed.config.nearest import suggestion
from zfed.errors import ConfigError, ZfedError

T = TypeVar("T")

_TRUTHS: Final = {"true": True, "false": False}


@dataclass(frozen=True)
class PluginKind(Generic[T]):
    """What is plugged in, and how people speak of it.

    Attributes:
        noun: What it is called.
        base: What its class derives from.
        error: Raised with a message where a class cannot be had or made.
        built_in: What zfed has, by name: module and class.
        setting: What a parameter of its class is called.
        flag: With which one is given as KEY=VALUE.
    """

    noun: str
    base: type[T]
    error: Callable[[str], ZfedError]
    built_in: Mapping[str, str]
    setting: str
    flag: str

    def make(self, reference: str, settings: Mapping[str, Any]) -> T:
        """Import a class and make one.

        Args:
            reference: A built-in name, `module:Name` or `path/to/file.py:Name`. As for a script, modules are
                also looked for beside the file, or in the current folder.
            settings: What goes to `Name(**settings)`. Values may be text, which is read as the annotation of
                the parameter says; without one, it stays text.

        Raises:
            ZfedError: `error`, if there is no such class, or importing or making it failed.
            ConfigError: If a setting is unknown, missing or of the wrong type.
        """
        found = self.find(reference)
        checked = self._checked_settings(reference, found, settings)
        try:
            return found(**checked)
        except ZfedError:
            raise
        except Exception as error:  # abstract methods that a user's class still lacks end here too
            raise self.error(
                f"{self.noun} {reference!r}: making it failed: {type(error).__name__}: {error}"
            ) from error

    def find(self, reference: str) -> type[T]:
        """The class.

        Raises:
            ZfedError: As `make`.
        """
        place, colon, name = self.built_in.get(reference, reference).rpartition(":")
        if not colon:
            raise self.error(f"unknown {self.noun} {reference!r}{self._remedy(reference)}")
        module = self._import_file(Path(place)) if place.endswith(".py") else self._import_module(place)
        found = getattr(module, name, None)
        if found is None:
            raise self.error(f"{place} has no class {name!r}; {suggestion(name, self._names(module))}")
        if not (isinstance(found, type) and issubclass(found, self.base)):
            seen = f"a class {found.__name__}" if isinstance(found, type) else f"a {type(found).__name__}"
            raise self.error(
                f"{reference} is no {self.noun} but {seen}: it must be a class derived from "
                f"{self.base.__module__}.{self.base.__name__}"
            )
        return found

    def _remedy(self, reference: str) -> str:
        if reference.endswith(".py"):
            return f": add the name of its class, as {reference}:My{self.noun.capitalize()}"
        known = suggestion(reference, self.built_in)
        return f"; {known} Your own is module:Name or path/to/file.py:Name"

    def _names(self, module: ModuleType) -> list[str]:
        return [
            name
            for name, value in vars(module).items()
            if isinstance(value, type)
            and issubclass(value, self.base)
            and value.__module__ == module.__name__
        ]

    def _import_file(self, path: Path) -> ModuleType:
        path = path.expanduser()
        if not path.is_file():
            raise self.error(f"there is no {self.noun} file {path} (looked in {Path.cwd()})")
        _search_first(path.resolve().parent)
        spec = importlib.util.spec_from_file_location(f"zfed_{self.noun}_{path.stem}", path)
        if spec is None or spec.loader is None:
            raise self.error(f"{path} cannot be imported as a Python file")
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module  # dataclasses look their module up there
        try:
            spec.loader.exec_module(module)
        except Exception as error:  # a user's module may raise anything when it is imported
            del sys.modules[spec.name]
            raise self._import_failed(str(path), error) from error
        return module

    def _import_module(self, name: str) -> ModuleType:
        if not name.startswith("zfed."):
            _search_first(Path.cwd())
        try:
            return importlib.import_module(name)
        except Exception as error:  # as above
            raise self._import_failed(name, error) from error

    def _import_failed(self, place: str, error: Exception) -> ZfedError:
        if isinstance(error, ModuleNotFoundError) and error.name in ("torch", "torchvision"):
            return self.error(
                f"{place} needs PyTorch, which is not installed: pip install 'zfed[torch]', or on a board "
                "the build of its vendor; the task 'softmax' needs none"
            )
        return self.error(f"importing {place} failed: {type(error).__name__}: {error}")

    def _checked_settings(
        self, reference: str, found: type[T], settings: Mapping[str, Any]
    ) -> dict[str, Any]:
        parameters = settings_of(found)
        if not _takes_anything(found):
            for name in settings:
                if name not in parameters:
                    raise ConfigError(
                        f"{self.noun} {reference!r} has no {self.setting} {name!r}; "
                        f"{suggestion(name, parameters)}"
                    )
        for name, parameter in parameters.items():
            if parameter.default is parameter.empty and name not in settings:
                raise ConfigError(
                    f"{self.noun} {reference!r} needs the {self.setting} {name!r}: {self.flag} {name}=VALUE"
                )
        annotations = _annotations(found)
        return {name: self._converted(name, value, annotations.get(name)) for name, value in settings.items()}

    def _converted(self, name: str, value: Any, annotation: Any) -> Any:
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
        raise ConfigError(f"{self.setting} {name} is {value!r}, expected {expected}")


def settings_of(plugged: type) -> dict[str, inspect.Parameter]:
    """The parameters of a class that can be set, by name."""
    return {
        parameter.name: parameter
        for parameter in inspect.signature(plugged).parameters.values()
        if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    }


def _search_first(folder: Path) -> None:
    if os.fspath(folder) not in sys.path:
        sys.path.insert(0, os.fspath(folder))


def _takes_anything(plugged: type) -> bool:
    parameters = inspect.signature(plugged).parameters.values()
    return any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)


def _annotations(plugged: type) -> dict[str, Any]:
    try:
        return typing.get_type_hints(plugged.__init__)  # type: ignore[misc]  # its own, and no instance's
    except NameError:  # an annotation that exists only for type checkers
        return {}


def _simple_types(annotation: Any) -> list[type]:
    """The types that a setting may have; empty if the annotation says more than we can check."""
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        members = list(typing.get_args(annotation))
    else:
        members = [annotation]
    return members if all(kind in (bool, int, float, str, type(None)) for kind in members) else []


def _words(kind: type) -> str:
    return {bool: "true or false", int: "an integer", float: "a number", str: "text"}.get(kind, "nothing")
