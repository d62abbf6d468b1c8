"""Losses that a `[train]` table can name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from torch import Tensor
from torch.nn import functional

from zfed.config.nearest import suggestion
from zfed.errors import ConfigError

Loss: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""Outputs and targets of a batch to its mean loss, a scalar."""

LOSSES: Final[dict[str, Loss]] = {
    "cross-entropy": functional.cross_entropy,
    "nll": functional.nll_loss,
    "mse": functional.mse_loss,
    "l1": functional.l1_loss,
    "huber": functional.huber_loss,
    "bce": functional.binary_cross_entropy_with_logits,
}
"""By name; "nll" takes log-probabilities, "cross-entropy" and "bce" take logits."""


def named_loss(name: str) -> Loss:
    """The loss of this name.

    Raises:
        ConfigError: If there is none; it says which was probably meant.
    """
    if name not in LOSSES:
        raise ConfigError(f"[train] loss is {name!r}; {suggestion(name, LOSSES)}")
    return LOSSES[name]
