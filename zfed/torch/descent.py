"""One round's steps of an optimizer down a loss, as the `[train]` table says."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import torch
from torch import Tensor, nn

from zfed.config.train import TrainSettings
from zfed.errors import TaskError
from zfed.task import Array


class Descent:
    """Takes the steps of one round, with a fresh optimizer.

    Args:
        module: Holds the model that the round begins with; its parameters that want gradients are trained.
        settings: The `[train]` table.
        round: 1, 2, ...
        local: Names of parameters that never leave this node: FedProx does not hold them to the model that
            the round began with, for they are no part of it.
        corrections: What is added to the gradients of these parameters, clipped ones too.

    Raises:
        TaskError: If there is nothing to train.
    """

    def __init__(
        self,
        module: nn.Module,
        settings: TrainSettings,
        round: int,
        *,
        local: Collection[str] = (),
        corrections: Mapping[str, Array] | None = None,
    ) -> None:
        trained = {name: each for name, each in module.named_parameters() if each.requires_grad}
        if not trained:
            raise TaskError(f"{type(module).__name__} has no parameter with requires_grad: nothing to train")
        self._parameters = list(trained.values())
        self._optimizer = build_optimizer(self._parameters, settings, round)
        self._clip_norm = settings.clip_norm
        self._proximal = settings.proximal
        held = [each for name, each in trained.items() if name not in local] if self._proximal else []
        self._held = [(each, each.detach().clone()) for each in held]
        self._corrections = [
            (trained[name], torch.as_tensor(array).to(trained[name]))
            for name, array in (corrections or {}).items()
        ]

    def step(self, loss: Tensor) -> None:
        """Take one step; `loss` is the mean of a batch, a scalar."""
        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        for parameter, start in self._held:
            if parameter.grad is not None:  # that of mu/2 ||w - w_t||^2 is mu (w - w_t)
                parameter.grad.add_(parameter.detach() - start, alpha=self._proximal)
        if self._clip_norm is not None:
            nn.utils.clip_grad_norm_(self._parameters, self._clip_norm)
        for parameter, correction in self._corrections:
            if parameter.grad is None:  # the loss does not know it, but other workers' may
                parameter.grad = torch.zeros_like(parameter)
            parameter.grad.add_(correction)
        self._optimizer.step()


def build_optimizer(
    parameters: list[nn.Parameter], settings: TrainSettings, round: int
) -> torch.optim.Optimizer:
    """The optimizer of a `[train]` table with the learning rate of a round; what is not given is torch's."""
    rate, decay = settings.learning_rate_in(round), settings.weight_decay
    beta1 = 0.9 if settings.beta1 is None else settings.beta1
    beta2 = settings.beta2
    epsilon = settings.epsilon or (1e-10 if settings.optimizer == "adagrad" else 1e-8)
    match settings.optimizer:
        case "sgd":
            return torch.optim.SGD(
                parameters,
                lr=rate,
                momentum=settings.momentum,
                dampening=settings.dampening,
                nesterov=settings.nesterov,
                weight_decay=decay,
            )
        case "adam" | "adamw":
            kind = torch.optim.Adam if settings.optimizer == "adam" else torch.optim.AdamW
            betas = (beta1, 0.999 if beta2 is None else beta2)
            return kind(parameters, lr=rate, betas=betas, eps=epsilon, weight_decay=decay)
        case "adagrad":
            return torch.optim.Adagrad(parameters, lr=rate, eps=epsilon, weight_decay=decay)
        case "rmsprop":
            return torch.optim.RMSprop(
                parameters,
                lr=rate,
                alpha=0.99 if beta2 is None else beta2,
                eps=epsilon,
                momentum=settings.momentum,
                weight_decay=decay,
            )


def load_optimizers() -> None:
    """Take one idle step: the first in a process imports 800 modules, for which no round should wait."""
    torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.0).step()
