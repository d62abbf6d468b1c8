"""The worker's part of SCAFFOLD: correct each step for how this worker's data differ from everybody's.

Karimireddy et al., "SCAFFOLD: Stochastic Controlled Averaging for Federated Learning", arXiv 1910.06378,
algorithm 1 with option II. The coordinator's part is `zfed.strategies.scaffold`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Final

import numpy as np

from zfed.config.train import TrainSettings
from zfed.errors import ConfigError, TaskError
from zfed.params import widened
from zfed.task import Array, Context, NamedArrays

CONTROL: Final = "control"
"""The vector c that travels beside the model; before a tensor's name, where `Context.state` keeps c_i."""

STEP_SUM: Final = "step_sum"
"""The metric by which a worker says how far it went: the sum of the learning rates of its steps, K * eta."""


class ControlVariates:
    """What one piece of training needs of SCAFFOLD; only plain SGD can be corrected so.

        control = ControlVariates.of(context, settings)
        ... each gradient += control.corrections[name], if control ...
        metrics |= control.settle(parameters, trained, step_sum)

    Both vectors have the learned tensors that are shared (kind `average`), and no others.

    Args:
        common: c, the mean of all workers' control variates.
        state: `Context.state`, where c_i stays. One that is not there is 0, as the paper has it.
    """

    def __init__(self, common: NamedArrays, state: dict[str, Array]) -> None:
        self._common = common
        self._state = state

    @classmethod
    def of(cls, context: Context, settings: TrainSettings) -> ControlVariates | None:
        """Those of this piece of work; None if the run's strategy sends none.

        Raises:
            ConfigError: If it does and the steps are not those of plain SGD.
        """
        if CONTROL not in context.vectors:
            return None
        for seen, is_plain in (
            (f'optimizer "{settings.optimizer}"', settings.optimizer == "sgd"),
            (f"momentum {settings.momentum:g}", not settings.momentum),
            (f"proximal {settings.proximal:g}", not settings.proximal),
        ):
            if not is_plain:
                raise ConfigError(
                    f"[train] asks for {seen}; strategy scaffold corrects plain sgd, without momentum and "
                    "without proximal: change that, or the strategy"
                )
        return cls(context.vectors[CONTROL], context.state)

    @cached_property
    def corrections(self) -> Mapping[str, Array]:
        """What is added to the gradient of each tensor, once it is clipped: c - c_i (equation 3)."""
        return {name: common - self._own(name) for name, common in self._common.items()}

    def settle(self, before: NamedArrays, after: NamedArrays, step_sum: float) -> dict[str, float]:
        """Make this worker's new c_i of what it has done (equation 4, option II), once it has trained.

            c_i <- c_i - c + (x - y) / (K * eta)

        It is the mean of the gradients that were seen, as clipped and with weight decay, and costs none of
        its own.

        Args:
            before: The model received, x.
            after: The trained one, y.
            step_sum: Sum of the learning rates of all steps: K * eta where it was the same in all.

        Returns:
            What the update's metrics must say besides, for the coordinator to know the same.

        Raises:
            TaskError: If no step was taken.
        """
        if not step_sum > 0:
            raise TaskError(f"the sum of the learning rates is {step_sum:g}: no step was taken")
        for name, correction in self.corrections.items():
            walked = _numbers(before[name]) - _numbers(after[name])
            settled = walked / correction.dtype.type(step_sum) - correction
            self._state[_key(name)] = settled.astype(correction.dtype, copy=False)
        return {STEP_SUM: step_sum}

    def _own(self, name: str) -> Array:
        own = self._state.get(_key(name))
        return np.zeros_like(self._common[name]) if own is None else own


def _key(name: str) -> str:
    return f"{CONTROL}.{name}"


def _numbers(array: Array) -> np.ndarray[Any, np.dtype[Any]]:
    """What half precision is computed in; bfloat16 is held as the integers of its bits."""
    if array.dtype == np.uint16:
        return widened(array, "BF16")
    return array.astype(np.float32) if array.dtype == np.float16 else array
