"""A task of a few numbers that can be told to misbehave; numpy only, so that a process starts at once."""

import time

import numpy as np

from zfed.task import DataSummary, EvaluateResult, StoppedError, Task, TrainResult

LABELS = np.arange(100) % 10


class Tiny(Task):
    """Moves its model towards the mean of its labels.

    Args:
        pause_s: Seconds that training takes.
        width: Numbers in the model.
        fault: "raise", "nan" or "deaf" (does not stop when asked).
        fault_round: The only round in which the fault happens; 0: in all.
        remember: Count rounds in the task's state, tell them as a metric, and let them move the model.
        log: File to which a line is added whenever training begins and ends, as `began 3`.
    """

    def __init__(
        self,
        *,
        pause_s: float = 0.0,
        width: int = 1000,
        fault: str = "",
        fault_round: int = 0,
        remember: bool = False,
        log: str = "",
    ):
        self.pause_s = pause_s
        self.width = width
        self.fault = fault
        self.fault_round = fault_round
        self.remember = remember
        self.log = log

    def prepare(self, setup):
        training, held_out = setup.hold_out(setup.partition.select(LABELS))
        self.labels, self.tested = LABELS[training], LABELS[held_out] if held_out.size else LABELS
        counts = {str(label): int(count) for label, count in enumerate(np.bincount(self.labels)) if count}
        return DataSummary(examples=len(self.labels), held_out=held_out.size, label_counts=counts)

    def initial_parameters(self, context):
        return {"weight": context.random().standard_normal(self.width, np.float32), "bias": np.zeros(1)}

    def train(self, parameters, context):
        faulty = self.fault_round in (0, context.round)
        if self.fault == "raise" and faulty:
            raise RuntimeError("out of paper")
        self._log("began", context)
        self._pause(context, deaf=self.fault == "deaf")
        target = context.random().choice(self.labels, self.width).astype(np.float32)
        trained = {
            "weight": parameters["weight"] + np.float32(0.1) * (target - parameters["weight"]),
            "bias": parameters["bias"] + self.labels.mean(),
        }
        if self.fault == "nan" and faulty:
            trained["weight"][7] = np.nan
        metrics = {"loss": 0.5}
        if self.remember:
            rounds = context.state["rounds"] = context.state.get("rounds", np.zeros(1)) + 1
            metrics["rounds"] = float(rounds[0])
            trained["bias"] += rounds
        self._log("ended", context)
        return TrainResult(parameters=trained, examples=len(self.labels), steps=1, metrics=metrics)

    def evaluate(self, parameters, context):
        loss = float(np.square(parameters["weight"] - self.tested.mean()).mean())
        return EvaluateResult(examples=len(self.tested), metrics={"loss": loss})

    def _pause(self, context, *, deaf):
        until = time.monotonic() + self.pause_s
        while time.monotonic() < until:
            if context.should_stop() and not deaf:
                raise StoppedError
            time.sleep(0.01)

    def _log(self, what, context):
        if self.log:
            with open(self.log, "a") as file:
                file.write(f"{what} {context.round}\n")
