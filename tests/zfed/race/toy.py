"""A task that learns one number, in no real time."""

from dataclasses import replace

import numpy as np

from zfed.race import RacePlan
from zfed.task import DataSummary, EvaluateResult, Task, TrainResult

RATE = 0.5


class Toy(Task):
    """Each update goes half of the way to 1; accuracy is how near the model is."""

    prepared = 0

    def prepare(self, setup):
        type(self).prepared += 1
        return DataSummary(examples=100)

    def initial_parameters(self, context):
        return {"w": np.zeros(1, np.float32)}

    def train(self, parameters, context):
        w = parameters["w"]
        return TrainResult(parameters={"w": w + np.float32(RATE) * (1 - w)}, examples=100, steps=1)

    def evaluate(self, parameters, context):
        return EvaluateResult(examples=10, metrics={"accuracy": float(1 - abs(1 - parameters["w"][0]))})


class Rooted(Toy):
    """Its evaluator can keep root examples."""

    def prepare(self, setup):
        training, held_out = setup.hold_out(np.arange(200))
        return DataSummary(examples=len(training), held_out=len(held_out))

    def train(self, parameters, context):
        return replace(super().train(parameters, context), examples=1)


class Raising(Toy):
    def train(self, parameters, context):
        raise RuntimeError("no memory left on this board")


class Unmeasured(Toy):
    def evaluate(self, parameters, context):
        return EvaluateResult(examples=10, metrics={"loss": 0.5})


def plan(task="Toy", **given):
    """A race of this task: three workers, each half a second a round."""
    usual = {"schedules": ["sync"], "workers": 3, "profile": "uniform", "target": 0.9, "until_s": 100.0}
    return RacePlan(task=f"tests.zfed.race.toy:{task}", **{**usual, **given})
