"""Finds recipes by name. They are package data, so an installed wheel has them without a checkout."""

from __future__ import annotations

from importlib.resources import files

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
