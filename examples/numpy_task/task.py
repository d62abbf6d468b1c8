"""Calibrate a kind of sensor from what many of them measured: numpy alone, no framework."""

import numpy as np

from zfed.errors import ConfigError
from zfed.task import (
    Context,
    DataSummary,
    EvaluateResult,
    NamedArrays,
    Setup,
    StoppedError,
    Task,
    TrainResult,
)

TRUE_COEFFICIENTS = np.array([0.5, 2.0, -1.5])  # what the sensors do, unknown to the task


class MyTask(Task):
    """Fits value = c0 + c1 x + c2 x^2 by gradient descent on the mean squared error.

    Args:
        sensor: Number of this sensor; each measures other points.
        readings: How many.
    """

    def __init__(self, *, sensor: int = 0, readings: int = 200) -> None:
        self.sensor = sensor
        self.readings = readings

    def prepare(self, setup: Setup) -> DataSummary:
        """Measure; yours would read a file."""
        random = np.random.default_rng(self.sensor)
        x = random.uniform(-1, 1, self.readings)
        self.powers = np.stack([np.ones_like(x), x, x**2], axis=1)
        self.values = self.powers @ TRUE_COEFFICIENTS + random.normal(0, 0.1, self.readings)
        return DataSummary(examples=self.readings)

    def initial_parameters(self, context: Context) -> NamedArrays:
        """Zeros."""
        return {"coefficients": np.zeros(3)}

    def train(self, parameters: NamedArrays, context: Context) -> TrainResult:
        """Take `steps` steps of size `learning_rate`, keys of the coordinator's `[train]` table."""
        unknown = set(context.settings) - {"steps", "learning_rate"}
        if unknown:
            raise ConfigError(f"[train] has unknown keys {sorted(unknown)}: known are steps, learning_rate")
        steps = int(context.settings.get("steps", 50))
        rate = float(context.settings.get("learning_rate", 0.2))
        coefficients = parameters["coefficients"].copy()
        for step in range(steps):
            if context.should_stop():
                raise StoppedError
            coefficients -= rate * self.powers.T @ self._residual(coefficients) / self.readings
            context.report(step + 1, steps)
        return TrainResult(
            parameters={"coefficients": coefficients},
            examples=self.readings,
            steps=steps,
            metrics={"loss": self._loss(coefficients)},
        )

    def evaluate(self, parameters: NamedArrays, context: Context) -> EvaluateResult:
        """Mean squared error on this node's readings."""
        return EvaluateResult(
            examples=self.readings, metrics={"loss": self._loss(parameters["coefficients"])}
        )

    def _residual(self, coefficients: np.ndarray) -> np.ndarray:
        return self.powers @ coefficients - self.values

    def _loss(self, coefficients: np.ndarray) -> float:
        return float(np.mean(self._residual(coefficients) ** 2))
