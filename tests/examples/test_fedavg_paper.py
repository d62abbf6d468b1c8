"""The example that repeats a paper's setting, with four clients and 120 digits; what its README tells."""

import importlib
import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from zfed.tasks.grey_images import GreyImages

EXAMPLE = Path(__file__).parents[2] / "examples/fedavg_paper"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, with stripes for digits: ten kinds, told apart by the rows that are bright."""
    monkeypatch.syspath_prepend(EXAMPLE)
    script = importlib.import_module("run")
    labels = np.arange(120) % 10
    images = np.zeros((120, 28, 28), np.uint8)
    for label in range(10):
        images[labels == label, 2 * label : 2 * label + 3] = 255
    digits = GreyImages(images, labels, mean=0.1307, deviation=0.3081)
    paper_cnn = importlib.import_module("paper_cnn")
    monkeypatch.setattr(paper_cnn, "_read", {"worker": digits, "evaluator": digits})
    return script


def test_the_network_is_as_large_as_the_papers(run: ModuleType) -> None:
    assert sum(each.numel() for each in run.PaperCnn().module().parameters()) == 1_663_370


def test_a_run_tells_how_good_each_rounds_model_is(run: ModuleType, tmp_path: Path) -> None:
    curve = run.Curve(split="shards", rounds=2, learning_rate=0.05, clients=4, cohort=2, epochs=2)
    run.simulate(curve, tmp_path)
    told = run.Curve(**json.loads((tmp_path / "shards.json").read_text()))
    assert told == curve
    assert len(told.accuracies) == 2
    assert told.accuracies[1] > 0.15  # two shards of ten are two kinds; chance is a tenth
    run.draw([told], tmp_path / "accuracy.png")
    assert (tmp_path / "accuracy.png").stat().st_size > 1000


def test_rounds_to_a_target_are_those_of_the_first_model_that_reaches_it(run: ModuleType) -> None:
    curve = run.Curve(split="iid", rounds=4, learning_rate=0.05, accuracies=[0.9, 0.97, 0.96, 0.98])
    assert (curve.rounds_to(0.97), curve.rounds_to(0.99)) == (2, None)
    assert run.table([curve]).endswith("| iid | 2 | more than 4 | 20 | 4 | 98.00% | 0 |")


def test_the_readme_tells_what_was_measured(run: ModuleType) -> None:
    curves = [run.Curve(**json.loads((EXAMPLE / f"{split}.json").read_text())) for split in run.SPLITS]
    assert run.table(curves) in (EXAMPLE / "README.md").read_text()
    assert all(curve.rounds == len(curve.accuracies) for curve in curves)
