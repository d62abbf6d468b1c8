import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from zfed.errors import DataError
from zfed.partition import Partition
from zfed.task import Context, Setup
from zfed.torch import TorchClassifier

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
