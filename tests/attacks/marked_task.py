"""A task whose models and updates are known to the byte, so that they can be searched for on the wire."""

import numpy as np

from zfed.task import DataSummary, EvaluateResult, Task, TrainResult

SIZE = 50_000
METRIC = "mark_of_metric"
METRIC_VALUE = 0.6180339887498949
TENSOR = "mark_of_tensor"


def first_model():
    """Fractions of 256, so that sums are exact."""
    return (np.arange(SIZE) % 241).astype(np.float32) / 256


def step():
    """What training adds, each time."""
    return (np.arange(SIZE) % 251).astype(np.float32) / 256 + 1


class Marked(Task):
    """Adds the same numbers in each round."""

    def prepare(self, setup):
        return DataSummary(examples=10)

    def initial_parameters(self, context):
        return {TENSOR: first_model()}

    def train(self, parameters, context):
        trained = {TENSOR: parameters[TENSOR] + step()}
        return TrainResult(parameters=trained, examples=10, steps=1, metrics={METRIC: METRIC_VALUE})

    def evaluate(self, parameters, context):
        return EvaluateResult(examples=10, metrics={METRIC: METRIC_VALUE})
