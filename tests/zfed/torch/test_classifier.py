import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from zfed.errors import ConfigError, DataError
from zfed.partition import Partition
from zfed.task import Context, Setup
from zfed.torch import TorchClassifier
from zfed.torch.classifier import squared_error

INPUTS = torch.eye(3).repeat(4, 1)
TARGETS = torch.tensor([0, 1, 2]).repeat(4)


class Corners(TorchClassifier):
    """Three corners, three classes."""

    classes = 3
    targets = TARGETS

    def module(self) -> nn.Module:
        return nn.Linear(3, 3, bias=False)

    def data(self, setup: Setup) -> tuple[Tensor, Tensor]:
        return INPUTS, self.targets


def prepared(task: TorchClassifier) -> TorchClassifier:
    task.prepare(Setup(node="e", kind="evaluator", partition=Partition()))
    return task


def test_the_summary_counts_labels_and_knows_the_classes() -> None:
    summary = Corners().prepare(Setup(node="w", kind="worker", partition=Partition.parse(labels="0,2")))
    assert (summary.examples, summary.classes) == (8, 3)
    assert summary.label_counts == {"0": 4, "2": 4}


def test_evaluation_reports_what_was_predicted_and_how_much_was_right() -> None:
    always_zero = {"weight": np.array([[2, 2, 2], [0, 0, 0], [0, 0, 0]], np.float32)}
    metrics = prepared(Corners()).evaluate(always_zero, Context()).metrics
    assert metrics["correct"] == 4
    assert metrics["accuracy"] == pytest.approx(1 / 3)
    assert metrics["predicted"] == {"0": 12, "1": 0, "2": 0}
    assert metrics["loss"] == pytest.approx(math.log(math.exp(2) + 2) - 2 / 3)


def test_a_net_that_ends_in_log_softmax_has_the_same_loss() -> None:
    class Logged(Corners):
        def module(self) -> nn.Module:
            return nn.Sequential(nn.Linear(3, 3, bias=False), nn.LogSoftmax(dim=1))

    weights = np.arange(9, dtype=np.float32).reshape(3, 3)
    logits = prepared(Corners()).evaluate({"weight": weights}, Context()).metrics["loss"]
    logged = prepared(Logged()).evaluate({"0.weight": weights}, Context()).metrics["loss"]
    assert logged == pytest.approx(logits)


def test_a_label_beyond_the_classes_is_refused() -> None:
    class Strange(Corners):
        targets: Any = torch.tensor([0, 1, 3]).repeat(4)

    with pytest.raises(DataError, match="label 3 is in the data, expected 0 to 2"):
        prepared(Strange())


def trained(**settings: Any) -> Any:
    task = prepared(Corners())
    start = {"weight": np.zeros((3, 3), np.float32)}
    settings = {"epochs": 200, "batch_size": 12, "learning_rate": 0.5, **settings}
    return task.train(start, Context(round=1, settings=settings)).parameters["weight"]


def test_squared_error_has_its_optimum_at_the_target_logit() -> None:
    weights = trained(loss="squared-error", target_logit=4.0)
    assert weights == pytest.approx(4 * np.eye(3), abs=1e-4)


def test_squared_error_is_half_the_squared_distance() -> None:
    outputs, targets = torch.tensor([[1.0, 2.0, 3.0], [0.0, 5.0, 0.0]]), torch.tensor([0, 1])
    loss = squared_error(outputs, targets, target_logit=5.0)
    assert loss.item() == pytest.approx(0.5 * (16 + 4 + 9) / 2)


def test_squared_error_leaves_a_worker_without_a_label_nothing_to_change_at_the_common_optimum() -> None:
    class OneCorner(Corners):
        def data(self, setup: Setup) -> tuple[Tensor, Tensor]:
            return INPUTS[:1], TARGETS[:1]

    task = prepared(OneCorner())
    optimum = {"weight": 6 * np.eye(3, dtype=np.float32)}
    settings = {"loss": "squared-error", "learning_rate": 0.5}
    result = task.train(optimum, Context(round=1, settings=settings)).parameters
    assert np.array_equal(result["weight"], optimum["weight"])
    drifted = task.train(optimum, Context(round=1, settings={"learning_rate": 0.5})).parameters
    assert not np.array_equal(drifted["weight"], optimum["weight"])


def test_label_smoothing_keeps_probabilities_off_one() -> None:
    logits = trained(label_smoothing=0.3)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=0)
    assert np.diag(probabilities) == pytest.approx(0.8, abs=1e-2)  # 0.7 + 0.3 / 3


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"loss": "hinge"}, "known: cross-entropy, squared-error"),
        ({"target_logit": 0}, "more than 0"),
        ({"label_smoothing": 1.0}, "below 1"),
        ({"label_smoothing": 0.1, "loss": "squared-error"}, "does not go with squared-error"),
        ({"label_smothing": 0.1}, 'did you mean "label_smoothing"'),
    ],
)
def test_losses_that_cannot_be_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        trained(**settings)
