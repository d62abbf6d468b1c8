"""The `[train]` table of a PyTorch classifier, with remedies for workers that lack some labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from zfed.config.train import TrainSettings
from zfed.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class ClassifierSettings(TrainSettings):
    """What `TorchClassifier` understands beyond `TrainSettings`.

    Cross entropy never has enough: on a worker that lacks some labels, it pushes their logits down for ever,
    and the average of such workers is poor. The squared error to fixed targets has a finite optimum, which is
    the same on every worker: 0 for every wrong class, wherever its examples are.

    Attributes:
        loss: What training minimises. "squared-error" is half the squared distance of the logits to
            `target_logit` at the right class and 0 elsewhere; in general it is as good as cross entropy (Hui
            and Belkin, arXiv 2006.07322, who scale the target too). It wants a learning rate several times
            smaller: above about 0.12 / `target_logit`, the MNIST network's loss overflows in round 1.
        target_logit: With "squared-error". 6 means 98 % of probability for the right one of 10 classes.
        label_smoothing: With "cross-entropy", 0 to below 1: the share of the target that is spread over all
            classes (Szegedy et al., arXiv 1512.00567); likewise gives it a finite optimum.
    """

    loss: Literal["cross-entropy", "squared-error"] = "cross-entropy"
    target_logit: float = 6.0
    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._require("target_logit", self.target_logit > 0, "more than 0")
        self._require("label_smoothing", 0 <= self.label_smoothing < 1, "at least 0, below 1")
        if self.label_smoothing and self.loss != "cross-entropy":
            raise ConfigError(f"[train] label_smoothing does not go with {self.loss}: remove one of the two")
