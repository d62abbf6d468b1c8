"""Finds recipes by name. They are package data, so an installed wheel has them without a checkout."""

from __future__ import annotations

from contextlib import AbstractContextManager
from importlib.resources import as_file, files
from pathlib import Path

DEFAULT_RECIPE = "best"
_SUFFIX = ".toml"


def recipe_names() -> list[str]:
    """All recipes, sorted."""
    names = (entry.name for entry in files("zfed.recipes").iterdir())
    return sorted(name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX))


def recipe_text(name: str) -> str:
    """The recipe's TOML, with its comments.

    Raises:
        FileNotFoundError: If there is no such recipe; `recipe_names` lists them.
    """
    return files("zfed.recipes").joinpath(name + _SUFFIX).read_text(encoding="utf-8")


def recipe_file(name: str) -> AbstractContextManager[Path]:
    """The recipe as a file, for a process that is to read it; there while the context is open."""
    return as_file(files("zfed.recipes").joinpath(name + _SUFFIX))
