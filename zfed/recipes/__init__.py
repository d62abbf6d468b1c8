"""Ready-made runs, shipped inside the package: a zfed.toml each, to run or to start one's own from."""

from zfed.recipes.catalog import DEFAULT_RECIPE, recipe_file, recipe_names, recipe_text

__all__ = ["DEFAULT_RECIPE", "recipe_file", "recipe_names", "recipe_text"]
