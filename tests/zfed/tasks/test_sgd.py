from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zfed.config.train import TrainSettings
from zfed.tasks.sgd import Floats, Sgd

STEPS = 6
SHAPES = {"weight": (4, 3), "bias": (3,)}


def drawn(seed: int) -> dict[str, Floats]:
    random = np.random.default_rng(seed)
    return {name: random.standard_normal(shape).astype(np.float32) for name, shape in SHAPES.items()}


def by_torch(table: TrainSettings, gradients: list[dict[str, Floats]]) -> dict[str, Floats]:
    """The same steps by torch.optim.SGD, as an independent implementation."""
    parameters = {name: torch.nn.Parameter(torch.from_numpy(array)) for name, array in drawn(0).items()}
    start = {name: each.detach().clone() for name, each in parameters.items()}
    optimizer = torch.optim.SGD(
        parameters.values(),
        lr=table.learning_rate_in(1),
        momentum=table.momentum,
        dampening=table.dampening,
        nesterov=table.nesterov,
        weight_decay=table.weight_decay,
    )
    for gradient in gradients:
        for name, each in parameters.items():
            each.grad = torch.from_numpy(gradient[name]) + table.proximal * (each.detach() - start[name])
        if table.clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(parameters.values(), table.clip_norm)
        optimizer.step()
    return {name: each.detach().numpy() for name, each in parameters.items()}


@st.composite
def tables(draw: st.DrawFn) -> dict[str, Any]:
    momentum = draw(st.sampled_from([0.0, 0.5, 0.9]))
    nesterov = bool(momentum) and draw(st.booleans())
    return {
        "learning_rate": draw(st.floats(0.001, 0.2)),
        "momentum": momentum,
        "nesterov": nesterov,
        "dampening": draw(st.floats(0, 1)) if momentum and not nesterov else 0.0,
        "weight_decay": draw(st.floats(0, 0.5)),
        "clip_norm": draw(st.none() | st.floats(0.01, 10)),
        "proximal": draw(st.floats(0, 2)),
    }


@settings(max_examples=40, deadline=None)
@given(table=tables(), seed=st.integers(1, 99))
def test_its_steps_are_those_of_torch(table: dict[str, Any], seed: int) -> None:
    train = TrainSettings(**table)
    parameters = drawn(0)
    sgd = Sgd(parameters, train, 1)
    for step in range(STEPS):
        sgd.step(drawn(seed + step))
    expected = by_torch(train, [drawn(seed + step) for step in range(STEPS)])
    for name, array in parameters.items():
        assert array == pytest.approx(expected[name], abs=1e-5)


@settings(max_examples=25, deadline=None)
@given(mu=st.floats(0, 4), steps=st.integers(1, 30))
def test_fedprox_follows_its_closed_form_on_a_quadratic(mu: float, steps: int) -> None:
    a, b, start = np.array([0.5, 2, 4]), np.array([3, -1, 0.5]), np.array([0.0, 1, 2])
    w = {"w": start.astype(np.float32)}
    sgd = Sgd(w, TrainSettings(learning_rate=0.1, proximal=mu), 1)
    for _ in range(steps):
        sgd.step({"w": (a * (w["w"] - b)).astype(np.float32)})
    lowest = (a * b + mu * start) / (a + mu)  # of 1/2 sum a (w - b)^2 + mu/2 ||w - w_t||^2
    assert w["w"] == pytest.approx(lowest + (1 - 0.1 * (a + mu)) ** steps * (start - lowest), abs=1e-5)


def test_the_learning_rate_is_that_of_the_round() -> None:
    table = TrainSettings(learning_rate=0.2, learning_rate_decay=0.5)
    w = {"w": np.zeros(1, np.float32)}
    Sgd(w, table, 3).step({"w": np.ones(1, np.float32)})
    assert w["w"] == pytest.approx([-0.05])


def test_a_correction_is_added_to_what_clipping_leaves_of_the_gradient() -> None:
    table = TrainSettings(learning_rate=0.1, clip_norm=0.5)
    plain, corrected, correction = drawn(0), drawn(0), drawn(2)
    Sgd(plain, table, 1).step(drawn(1))
    Sgd(corrected, table, 1, correction).step(drawn(1))
    for name, array in corrected.items():
        np.testing.assert_allclose(array, plain[name] - np.float32(0.1) * correction[name], atol=1e-6)
