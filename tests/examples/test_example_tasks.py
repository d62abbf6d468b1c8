"""The examples' tasks, trained federatedly by hand: both workers' parts, plain averages."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from zfed.errors import ConfigError
from zfed.partition import Partition
from zfed.task import Context, NodeKind, Setup, Task
from zfed.tasks import load_task

EXAMPLES = Path(__file__).parents[2] / "examples"


def prepared(reference: str, kind: NodeKind = "worker", spec: str = "all", **settings: Any) -> Task:
    task = load_task(f"{EXAMPLES}/{reference}", settings)
    task.prepare(Setup(node="n", kind=kind, partition=Partition.parse(spec=spec)))
    return task


def average_of(workers: list[Task], rounds: int, **settings: Any) -> dict[str, np.ndarray]:
    model = dict(workers[0].initial_parameters(Context(seed=1)))
    for round in range(1, rounds + 1):
        context = Context(round=round, seed=round, settings=settings)
        results = [worker.train(model, context).parameters for worker in workers]
        model = {
            name: np.asarray(sum(result[name] for result in results) / len(results), array.dtype)
            for name, array in model.items()
        }
    return model


def test_the_custom_torch_task_learns_the_spirals_and_is_short() -> None:
    reference = "custom_torch_task/task.py:MyTask"
    workers = [prepared(reference, spec=f"iid:{part}/2") for part in (1, 2)]
    model = average_of(workers, 4, optimizer="adam", learning_rate=0.01)
    metrics = prepared(reference, "evaluator").evaluate(model, Context()).metrics
    assert metrics["accuracy"] > 0.97
    assert len((EXAMPLES / "custom_torch_task/task.py").read_text().splitlines()) < 60


def test_the_numpy_task_finds_the_coefficients() -> None:
    reference = "numpy_task/task.py:MyTask"
    model = average_of([prepared(reference, sensor=sensor) for sensor in (1, 2)], 10, learning_rate=0.2)
    assert model["coefficients"] == pytest.approx([0.5, 2.0, -1.5], abs=0.05)
    assert prepared(reference, sensor=99).evaluate(model, Context()).metrics["loss"] < 0.02


def test_the_numpy_task_refuses_a_misspelt_key() -> None:
    with pytest.raises(ConfigError, match=r"unknown keys \['step'\]"):
        average_of([prepared("numpy_task/task.py:MyTask")], 1, step=1)
