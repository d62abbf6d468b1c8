from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from zfed.config.train import TrainSettings
from zfed.errors import TaskError
from zfed.torch.descent import Descent

CURVATURE = torch.tensor([0.5, 2.0, 4.0])
LOWEST = torch.tensor([3.0, -1.0, 0.5])


class Valley(nn.Module):
    """F(w) = 1/2 sum a (w - b)^2, whose gradient is a (w - b)."""

    def __init__(self, start: list[float]) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor(start))

    def forward(self) -> Tensor:
        return 0.5 * (CURVATURE * (self.w - LOWEST).square()).sum()


def descended(steps: int, *, start: tuple[float, ...] = (0.0, 1.0, 2.0), **table: Any) -> np.ndarray:
    valley = Valley(list(start))
    descent = Descent(valley, TrainSettings.parse({"learning_rate": 0.1, **table}), 1)
    for _ in range(steps):
        descent.step(valley())
    return valley.w.detach().double().numpy()


@settings(max_examples=25, deadline=None)
@given(mu=st.floats(0, 4), steps=st.integers(1, 30))
def test_fedprox_follows_its_closed_form_on_a_quadratic(mu: float, steps: int) -> None:
    a, b, start = CURVATURE.double().numpy(), LOWEST.double().numpy(), np.array([0.0, 1.0, 2.0])
    lowest = (a * b + mu * start) / (a + mu)  # of F(w) + mu/2 ||w - w_t||^2
    expected = lowest + (1 - 0.1 * (a + mu)) ** steps * (start - lowest)
    assert descended(steps, proximal=mu) == pytest.approx(expected, abs=1e-5)


def test_fedprox_leaves_what_never_leaves_the_node_alone() -> None:
    module = nn.Linear(1, 1)
    start = {name: each.detach().clone() for name, each in module.named_parameters()}
    descent = Descent(module, TrainSettings(learning_rate=0.1, proximal=10.0), 1, local=frozenset({"bias"}))
    for _ in range(2):
        descent.step(module(torch.ones(1, 1)).sum())  # both gradients are 1
    moved = {name: (each.detach() - start[name]).item() for name, each in module.named_parameters()}
    assert moved["bias"] == pytest.approx(-0.2)
    assert moved["weight"] == pytest.approx(-0.1, abs=1e-6)  # the second step: 1 + 10 x -0.1 = 0


def test_a_gradient_longer_than_the_clip_norm_is_shortened_to_it() -> None:
    start = np.array([0.0, 1.0, 2.0])
    gradient = CURVATURE.numpy() * (start - LOWEST.numpy())
    far = descended(1, clip_norm=0.5) - start
    assert far == pytest.approx(-0.1 * 0.5 * gradient / np.linalg.norm(gradient), rel=1e-4)
    assert descended(1, clip_norm=100) == pytest.approx(descended(1))


def test_adam_and_adamw_take_the_steps_of_their_papers() -> None:
    decay, beta1, beta2, epsilon = 0.3, 0.8, 0.95, 1e-3
    table = {"beta1": beta1, "beta2": beta2, "epsilon": epsilon, "weight_decay": decay}
    for optimizer in ("adam", "adamw"):
        w, m, v = np.array([0.0, 1.0, 2.0]), np.zeros(3), np.zeros(3)
        for step in range(1, 8):
            gradient = CURVATURE.numpy() * (w - LOWEST.numpy())
            if optimizer == "adam":
                gradient = gradient + decay * w
            else:
                w = w - 0.1 * decay * w
            m, v = beta1 * m + (1 - beta1) * gradient, beta2 * v + (1 - beta2) * gradient**2
            w = w - 0.1 * (m / (1 - beta1**step)) / (np.sqrt(v / (1 - beta2**step)) + epsilon)
        assert descended(7, optimizer=optimizer, **table) == pytest.approx(w, abs=1e-5)


def test_adagrad_and_rmsprop_divide_by_the_root_of_their_squares() -> None:
    start = np.array([0.0, 1.0, 2.0])
    for optimizer, keep, add in (("adagrad", 1.0, 1.0), ("rmsprop", 0.9, 0.1)):
        w, squares = start, np.zeros(3)
        table = {"beta2": 0.9} if optimizer == "rmsprop" else {}
        for _ in range(5):
            gradient = CURVATURE.numpy() * (w - LOWEST.numpy())
            squares = keep * squares + add * gradient**2
            w = w - 0.1 * gradient / (np.sqrt(squares) + 1e-2)
        assert descended(5, optimizer=optimizer, epsilon=1e-2, **table) == pytest.approx(w, abs=1e-5)


@pytest.mark.parametrize(
    "table",
    [
        {"optimizer": "adam", "beta1": 0.5},
        {"optimizer": "adam", "beta2": 0.5},
        {"optimizer": "rmsprop", "momentum": 0.5},
        {"momentum": 0.5, "dampening": 0.5},
        {"momentum": 0.5, "nesterov": True},
    ],
)
def test_every_setting_reaches_its_optimizer(table: dict[str, Any]) -> None:
    *others, _ = table
    without = {name: table[name] for name in others}
    assert not np.allclose(descended(3, **table), descended(3, **without))


def test_a_model_without_anything_to_train_is_refused() -> None:
    with pytest.raises(TaskError, match="Linear has no parameter with requires_grad: nothing to train"):
        Descent(nn.Linear(2, 1).requires_grad_(False), TrainSettings(), 1)


def test_a_correction_is_added_to_what_clipping_leaves_of_the_gradient() -> None:
    valley = Valley([0.0, 1.0, 2.0])
    correction = np.float32([3, 0, -2])
    table = TrainSettings(learning_rate=0.1, clip_norm=0.5)
    Descent(valley, table, 1, corrections={"w": correction}).step(valley())
    moved = valley.w.detach().double().numpy() - descended(1, clip_norm=0.5)
    assert moved == pytest.approx(-0.1 * correction, abs=1e-6)


def test_a_parameter_that_the_loss_does_not_know_is_corrected_all_the_same() -> None:
    module = nn.Linear(1, 1)
    before = module.bias.item()
    descent = Descent(
        module, TrainSettings(learning_rate=0.1), 1, corrections={"bias": np.ones(1, np.float32)}
    )
    descent.step(module.weight.sum())
    assert module.bias.item() == pytest.approx(before - 0.1)
