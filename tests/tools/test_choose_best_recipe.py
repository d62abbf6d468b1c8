import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from zfed.config.toml_document import parse_document
from zfed.recipes import recipe_text

ROOT = Path(__file__).parents[2]


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("choose_best_recipe", ROOT / "tools/choose_best_recipe.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module


def test_the_recipe_is_a_candidate_setting_by_setting(tool: ModuleType) -> None:
    recipe = parse_document(recipe_text("best"), "best.toml").tables
    matching = [
        candidate
        for candidate in tool.CANDIDATES
        if candidate.table == recipe["train"]
        and candidate.server_momentum == recipe["run"]["server_momentum"]
    ]
    assert [candidate.name for candidate in matching] == ["squared-small"]
    assert recipe["run"]["rounds"] == tool.ROUNDS
    assert recipe["run"]["weighting"] == "examples"


def test_no_candidate_does_more_than_1600_examples_per_round(tool: ModuleType) -> None:
    assert {candidate.table["batches"] * candidate.table["batch_size"] for candidate in tool.CANDIDATES} == {
        1600
    }


def test_reported_seeds_are_not_searched(tool: ModuleType) -> None:
    assert not set(tool.SEARCH_SEEDS) & set(tool.REPORTED_SEEDS)
