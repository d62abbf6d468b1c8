"""Stochastic gradient descent in numpy, as the `[train]` table says and as torch.optim.SGD does it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zfed.config.train import TrainSettings
from zfed.task import NamedArrays

Floats = NDArray[np.float32]


class Sgd:
    """Takes the steps of one round.

    Args:
        parameters: The model that the round begins with, by tensor; each step changes it in place.
        settings: The `[train]` table.
        round: 1, 2, ...
        corrections: What is added to the gradients of these parameters, clipped ones too.
    """

    def __init__(
        self,
        parameters: dict[str, Floats],
        settings: TrainSettings,
        round: int,
        corrections: NamedArrays | None = None,
    ) -> None:
        self._parameters = parameters
        self._settings = settings
        self._rate = np.float32(settings.learning_rate_in(round))
        self._start = {name: array.copy() for name, array in parameters.items()} if settings.proximal else {}
        self._corrections = corrections or {}
        self._velocity: dict[str, Floats] = {}

    def step(self, gradient: dict[str, Floats]) -> None:
        """Take one step; `gradient` is that of the loss, by tensor, and is used up."""
        for name, start in self._start.items():  # FedProx: that of mu/2 ||w - w_t||^2 is mu (w - w_t)
            gradient[name] += np.float32(self._settings.proximal) * (self._parameters[name] - start)
        self._clip(gradient)
        for name, correction in self._corrections.items():
            gradient[name] += correction
        for name, array in self._parameters.items():
            array -= self._rate * self._direction(
                name, gradient[name] + np.float32(self._settings.weight_decay) * array
            )

    def _clip(self, gradient: dict[str, Floats]) -> None:
        limit = self._settings.clip_norm
        if limit is None:
            return
        squares = sum(float(np.square(array, dtype=np.float64).sum()) for array in gradient.values())
        if squares > limit**2:
            for array in gradient.values():
                array *= np.float32(limit / squares**0.5)

    def _direction(self, name: str, slope: Floats) -> Floats:
        momentum = np.float32(self._settings.momentum)
        if not momentum:
            return slope
        velocity = slope  # of the first step, whatever the dampening
        if name in self._velocity:
            velocity = momentum * self._velocity[name] + np.float32(1 - self._settings.dampening) * slope
        self._velocity[name] = velocity
        return slope + momentum * velocity if self._settings.nesterov else velocity
