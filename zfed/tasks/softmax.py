"""Task `softmax`: multinomial logistic regression in numpy alone, for boards without a framework."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from zfed.config.train import TrainSettings
from zfed.control_variates import ControlVariates
from zfed.data import default_root, find_dataset, load_split
from zfed.data.batches import batches_of_round
from zfed.errors import DataError, TaskError
from zfed.metrics import CLASSIFIER_RULES
from zfed.task import (
    LEARNING_RATE,
    LOSS_BEFORE,
    Context,
    DataSummary,
    EvaluateResult,
    NamedArrays,
    Setup,
    StoppedError,
    Task,
    TrainResult,
)
from zfed.tasks.sgd import Floats, Sgd

CLASSES = 10
PIXELS = 28 * 28
EVALUATION_BATCH = 1000


@dataclass(frozen=True, kw_only=True)
class SoftmaxSettings(TrainSettings):
    """The `[train]` table without the optimisers and losses that this task does not have."""

    optimizer: Literal["sgd"] = "sgd"
    loss: Literal["cross-entropy"] = "cross-entropy"


@dataclass(frozen=True)
class _Images:
    """Images as rows of bytes, and what they show."""

    pixels: NDArray[Any]
    labels: NDArray[Any]

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, chosen: NDArray[np.int64] | slice) -> tuple[Floats, NDArray[Any]]:
        """Some of them, with pixels from 0 to 1."""
        return self.pixels[chosen] * np.float32(1 / 255), self.labels[chosen]


class Softmax(Task):
    """One layer: 784 pixels to 10 classes, 7,850 parameters.

    Args:
        dataset: mnist, fashion-mnist or kmnist.
        root: Folder of the data sets; default: $ZFED_DATA, or data.
    """

    merge = CLASSIFIER_RULES

    def __init__(self, *, dataset: str = "mnist", root: str = "") -> None:
        self.dataset = find_dataset(dataset).name
        self.root = Path(root) if root else default_root()

    def prepare(self, setup: Setup) -> DataSummary:
        """Load the training images of this worker's part, or all test images."""
        images, labels = load_split(self.dataset, "train" if setup.kind == "worker" else "test", self.root)
        if setup.kind == "worker":
            mine = setup.partition.select(labels)
            if not mine.size:
                raise DataError(
                    f"partition {setup.partition.describe()!r} of {len(labels)} images is empty: choose "
                    "other labels or another part"
                )
        else:
            mine = np.arange(len(labels))
        pixels = images.reshape(len(images), PIXELS)
        training, held_out = setup.hold_out(mine)
        self._training = _Images(pixels[training], labels[training])
        self._tested = _Images(pixels[held_out], labels[held_out]) if held_out.size else self._training
        counted = self._training if setup.kind == "worker" else self._tested
        counts = np.bincount(counted.labels, minlength=CLASSES)
        return DataSummary(
            examples=len(self._training),
            held_out=held_out.size,
            label_counts={str(label): int(count) for label, count in enumerate(counts) if count},
            classes=CLASSES,
        )

    def initial_parameters(self, context: Context) -> dict[str, Floats]:
        """Zeros: the loss is convex, so there is no symmetry to break."""
        return {"weight": np.zeros((PIXELS, CLASSES), np.float32), "bias": np.zeros(CLASSES, np.float32)}

    def train(self, parameters: NamedArrays, context: Context) -> TrainResult:
        """Stochastic gradient descent as the `[train]` table says."""
        settings = SoftmaxSettings.parse(context.settings)
        trained = {name: np.array(array, np.float32) for name, array in parameters.items()}
        control = ControlVariates.of(context, settings)
        sgd = Sgd(trained, settings, context.round, control.corrections if control else None)
        examples = len(self._training)
        planned = settings.batch_count(examples)
        before = {LOSS_BEFORE: self._mean_loss(parameters)} if LOSS_BEFORE in context.wants else {}
        loss_sum, seen, steps = 0.0, 0, 0
        for steps, chosen in enumerate(batches_of_round(examples, settings, context), start=1):
            loss, gradient = _loss_and_gradient(trained, *self._training.batch(chosen))
            if not np.isfinite(loss):
                raise TaskError(
                    f"round {context.round}: loss is {loss} in batch {steps} of {planned}; a smaller "
                    "learning_rate usually helps"
                )
            sgd.step(gradient)
            loss_sum += loss * chosen.size
            seen += chosen.size
            context.report(steps, planned, loss=loss)
        rate = settings.learning_rate_in(context.round)
        metrics = {"loss": loss_sum / seen, LEARNING_RATE: rate, **before}
        if control:
            metrics |= control.settle(parameters, trained, steps * rate)
        return TrainResult(parameters=trained, examples=examples, steps=steps, metrics=metrics)

    def _mean_loss(self, parameters: NamedArrays) -> float:
        """Mean cross entropy over the training examples."""
        total, loss_sum = len(self._training), 0.0
        for start in range(0, total, EVALUATION_BATCH):
            pixels, labels = self._training.batch(slice(start, start + EVALUATION_BATCH))
            log_probabilities = _log_softmax(pixels @ parameters["weight"] + parameters["bias"])
            loss_sum -= float(log_probabilities[np.arange(labels.size), labels].sum(dtype=np.float64))
        return loss_sum / total

    def evaluate(self, parameters: NamedArrays, context: Context) -> EvaluateResult:
        """Mean cross entropy in nats, accuracy, and a histogram of the predicted classes."""
        total = len(self._tested)
        loss_sum, correct = 0.0, 0
        predicted = np.zeros(CLASSES, np.int64)
        for start in range(0, total, EVALUATION_BATCH):
            _stop_if_asked(context)
            pixels, labels = self._tested.batch(slice(start, start + EVALUATION_BATCH))
            log_probabilities = _log_softmax(pixels @ parameters["weight"] + parameters["bias"])
            choices = log_probabilities.argmax(axis=1)
            loss_sum -= float(log_probabilities[np.arange(labels.size), labels].sum(dtype=np.float64))
            correct += int((choices == labels).sum())
            predicted += np.bincount(choices, minlength=CLASSES)
            context.report(start + labels.size, total)
        return EvaluateResult(
            examples=total,
            metrics={
                "loss": loss_sum / total,
                "correct": correct,
                "accuracy": correct / total,
                "predicted": {str(label): int(count) for label, count in enumerate(predicted)},
            },
        )


def _loss_and_gradient(
    parameters: dict[str, Floats], pixels: Floats, labels: NDArray[Any]
) -> tuple[float, dict[str, Floats]]:
    """Mean cross entropy of a batch, and its derivative by each parameter."""
    log_probabilities = _log_softmax(pixels @ parameters["weight"] + parameters["bias"])
    rows = np.arange(labels.size)
    loss = -float(log_probabilities[rows, labels].mean())
    residual = np.exp(log_probabilities)
    residual[rows, labels] -= 1
    residual /= np.float32(labels.size)
    return loss, {"weight": pixels.T @ residual, "bias": residual.sum(axis=0)}


def _log_softmax(logits: Floats) -> Floats:
    shifted = logits - logits.max(axis=1, keepdims=True)  # so that exp cannot overflow
    result: Floats = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return result


def _stop_if_asked(context: Context) -> None:
    if context.should_stop():
        raise StoppedError
