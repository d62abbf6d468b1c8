from __future__ import annotations

import numpy as np
import pytest

from zfed.errors import ConfigError
from zfed.partition import Partition
from zfed.task import Context, Setup
from zfed.tasks import load_task


def test_a_model_of_the_size_asked_for_comes_back_as_it_was():
    echo = load_task("echo", {"size": "0.1MB"})
    model = echo.initial_parameters(Context(seed=3))
    assert sum(array.nbytes for array in model.values()) == 100_000
    echoed = echo.train(model, Context(round=1)).parameters
    assert echoed["weight"] is model["weight"]


def test_no_two_rounds_have_the_same_model():
    echo = load_task("echo", {"size": "100"})
    model = echo.initial_parameters(Context())
    for finished in range(1, 4):
        model = echo.train(model, Context(round=finished)).parameters
        assert model["rounds"] == finished


def test_the_first_model_follows_the_seed_and_is_finite():
    echo = load_task("echo", {"size": "4KB"})
    first, again, other = (echo.initial_parameters(Context(seed=seed))["weight"] for seed in (1, 1, 2))
    assert np.isfinite(first).all()
    assert (first == again).all()
    assert (first != other).any()


def test_every_node_weighs_the_same():
    echo = load_task("echo", {})
    summary = echo.prepare(Setup(node="a", kind="worker", partition=Partition()))
    assert summary.examples == 1
    assert echo.evaluate({}, Context()).examples == 1


@pytest.mark.parametrize("size", ["7B", "much"])
def test_a_size_too_small_or_none_is_refused(size):
    with pytest.raises(ConfigError, match="size"):
        load_task("echo", {"size": size})
