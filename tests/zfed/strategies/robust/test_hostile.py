"""The table of docs/robust.md in small: few images, a few rounds, real logics in virtual time."""

import functools

import numpy as np
import pytest

from tests.perf.hostile import STRATEGIES, TIMES, Hostile, accuracy
from zfed.tasks.softmax import Softmax

ROUNDS = 3
TRAIN = {"batches": 20, "batch_size": 10, "learning_rate": 0.05}


def striped(name, split, root=None):
    """350 or 200 images of noise, each with a stripe whose height is the label."""
    random = np.random.default_rng(["train", "test"].index(split))
    labels = np.arange(350 if split == "train" else 200, dtype=np.uint8) % 10
    images = random.integers(0, 60, (labels.size, 28, 28), np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[2 * label + 4 : 2 * label + 6] = 255
    return images, labels


def task(name, hostile):
    return Hostile() if hostile else Softmax()


@pytest.fixture(scope="module")
def ended_with():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("zfed.tasks.softmax.load_split", striped)
        yield functools.partial(accuracy, rounds=ROUNDS, train=TRAIN, tasks=task)


@pytest.fixture(scope="module")
def undisturbed(ended_with):
    return ended_with("fedavg", {}, hostile=False)


def test_one_hostile_worker_of_seven_ruins_the_mean(ended_with, undisturbed):
    assert TIMES == -10
    assert undisturbed > 0.95
    assert ended_with("fedavg", {}, hostile=True) < 0.2


@pytest.mark.parametrize("name", [name for name in STRATEGIES if name != "fedavg"])
def test_one_hostile_worker_of_seven_costs_a_robust_rule_two_points_at_most(ended_with, undisturbed, name):
    assert ended_with(name, STRATEGIES[name], hostile=True) >= undisturbed - 0.02
