"""A PyTorch task whose outputs are logits, one per class."""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import ClassVar

import numpy as np
from torch import Tensor, nn

from zfed.config.train import TrainSettings
from zfed.errors import DataError
from zfed.metrics import CLASSIFIER_RULES
from zfed.task import Context, DataSummary, EvaluateResult, NamedArrays, Setup
from zfed.torch.classifier_settings import ClassifierSettings
from zfed.torch.losses import Loss
from zfed.torch.torch_task import TorchTask


class TorchClassifier(TorchTask):
    """A `TorchTask` whose module gives one logit, or log-probability, per class.

    It reports accuracy and what was predicted. Targets are integers below `classes`.
    """

    classes: ClassVar[int]
    """How many classes there are."""

    settings_type = ClassifierSettings
    merge = CLASSIFIER_RULES

    def training_loss(self, settings: TrainSettings) -> Loss:
        """The `loss` of the `[train]` table."""
        if not isinstance(settings, ClassifierSettings):
            return self.loss
        if settings.loss == "squared-error":
            return partial(squared_error, target_logit=settings.target_logit)
        if settings.label_smoothing:
            return partial(nn.functional.cross_entropy, label_smoothing=settings.label_smoothing)
        return self.loss

    def prepare(self, setup: Setup) -> DataSummary:
        """Load this node's part of the data and count its labels."""
        summary = super().prepare(setup)
        counts = summary.label_counts or {}
        strange = [label for label in counts if not 0 <= int(label) < self.classes]
        if strange:
            raise DataError(f"label {strange[0]} is in the data, expected 0 to {self.classes - 1}")
        return dataclasses.replace(summary, classes=self.classes)

    def evaluate(self, parameters: NamedArrays, context: Context) -> EvaluateResult:
        """Mean cross entropy in nats, accuracy, and a histogram of the predicted classes."""
        loss_sum, correct = 0.0, 0
        predicted = np.zeros(self.classes, np.int64)
        for outputs, targets in self.predictions(parameters, context):
            choices = outputs.argmax(dim=1)
            # Right for log-probabilities too: their softmax is themselves
            loss_sum += nn.functional.cross_entropy(outputs, targets, reduction="sum").item()
            correct += int((choices == targets).sum())
            predicted += np.bincount(choices.cpu().numpy(), minlength=self.classes)
        examples = len(self.tested)
        return EvaluateResult(
            examples=examples,
            metrics={
                "loss": loss_sum / examples,
                "correct": correct,
                "accuracy": correct / examples,
                "predicted": {str(label): int(count) for label, count in enumerate(predicted)},
            },
        )


def squared_error(outputs: Tensor, targets: Tensor, *, target_logit: float) -> Tensor:
    """Half the squared distance of logits to `target_logit` at the target and 0 elsewhere, mean of a batch.

    outputs (b, classes) floats, targets (b,) integers; the result is a scalar.
    """
    wanted = nn.functional.one_hot(targets, outputs.shape[1]) * target_logit
    return 0.5 * (outputs - wanted).square().sum(dim=1).mean()
