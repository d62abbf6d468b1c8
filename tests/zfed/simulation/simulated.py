"""A tiny task whose every update can be computed again by hand, and runs of it in memory."""

import tempfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from zfed.checkpoint import RunDirectory
from zfed.config import CoordinatorConfig, EvaluateConfig, LimitsConfig, RunConfig
from zfed.facts import RoundCommitted
from zfed.nodes.orders import work_seed
from zfed.task import DataSummary, EvaluateResult, Task, TrainResult

SIZE = 6
IN_MEMORY = Path("/dev/shm")


def delta_of(seed):
    """What one piece of work adds to the model: multiples of 1/1024."""
    return np.random.default_rng(seed).integers(-512, 512, SIZE).astype(np.float32) / np.float32(1024)


class Steps(Task):
    """Adds to the model what the seed of its work says; counts in `state` the works that were committed."""

    examples = 1

    def prepare(self, setup):
        self.node = setup.node
        return DataSummary(examples=self.examples)

    def initial_parameters(self, context):
        return {"w": np.zeros(SIZE, np.float32)}

    def train(self, parameters, context):
        done = context.state.get("done", np.zeros(1, np.int64))
        context.state["done"] = done + 1
        trained = {"w": parameters["w"] + delta_of(context.seed)}
        metrics = {"committed_before": int(done[0])}
        return TrainResult(parameters=trained, examples=self.examples, steps=1, metrics=metrics)

    def evaluate(self, parameters, context):
        return EvaluateResult(examples=4, metrics={"total": float(parameters["w"].sum())})


def sized(examples):
    """The task with as many examples."""
    return type("SizedSteps", (Steps,), {"examples": examples})


def configured(*, rounds=5, evaluate=None, limits=None, **run):
    return CoordinatorConfig(
        limits=LimitsConfig(**(limits or {})),
        run=RunConfig(rounds=rounds, **{"round_timeout_s": 60.0, "wait_timeout_s": 600.0, **run}),
        evaluate=EvaluateConfig(**(evaluate or {"first": False, "every": 0, "last": False})),
    )


KEY = f"{1:032x}"
"""Of every run: it stands in paths, and so in what nodes tell."""


@contextmanager
def run_directory(name="run"):
    """A run directory in memory, gone afterwards; its key is always the same, and so is all that is told."""
    root = IN_MEMORY if IN_MEMORY.is_dir() else None
    with (
        tempfile.TemporaryDirectory(dir=root) as folder,
        RunDirectory.create(Path(folder), name, "", key="0" * 32) as made,
    ):
        yield made


def open_run(simulation, disk):
    """Begin a run on a simulation's disk, or go on with it."""
    path = Path("/runs/run")
    if RunDirectory.holds_run(path, disk=disk):
        return RunDirectory.resume(path, disk=disk, wall_clock=simulation.wall_clock)
    return RunDirectory.create(
        path.parent, path.name, "", key="1" * 32, disk=disk, wall_clock=simulation.wall_clock
    )


def run_once(simulation, config, *, until=100_000.0):
    with run_directory() as directory:
        return simulation.run(config, directory, until=until)


def expected_model(simulation, config):
    """The model computed by hand from who counted in which round, and with which weight."""
    model = np.zeros(SIZE, np.float64)
    for fact in simulation.told(RoundCommitted):
        deltas = [
            delta_of(work_seed(config.run.seed, worker, fact.version - 1)).astype(np.float64)
            for worker in fact.workers
        ]
        model += sum(share * delta for share, delta in zip(fact.weights, deltas, strict=True))
    return model
