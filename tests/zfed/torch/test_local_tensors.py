"""FedBN (Li et al., arXiv 2102.07623): workers share all but batch normalisation, each keeps its own."""

from collections import OrderedDict
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.zfed.simulation.simulated import configured
from zfed.checkpoint import RunDirectory
from zfed.config import CoordinatorConfig
from zfed.facts import WorkersEvaluated
from zfed.simulation import Simulation
from zfed.simulation.fake_disk import FakeDisk
from zfed.simulation.world import SimulatedEnd
from zfed.task import Context, DataSummary, EvaluateResult, NamedArrays, Setup
from zfed.torch import TorchTask

SCALES = {"alice": (1.0, 0.0), "bob": (5.0, -15.0)}
"""What each worker's sensor makes of the same quantity: factor and offset."""

ROUNDS = 8
RUN = Path("/runs/run")


class Sensors(TorchTask):
    """Two sensors see the same world, each on a scale of its own; what follows from it is the same."""

    seen: ClassVar[dict[str, dict[str, np.ndarray]]] = {}

    def module(self) -> nn.Module:
        return nn.Sequential(OrderedDict(bn=nn.BatchNorm1d(2), head=nn.Linear(2, 1)))

    def data(self, setup: Setup) -> tuple[Tensor, Tensor]:
        generator = torch.Generator().manual_seed(1)
        world = torch.randn(160, 2, generator=generator)
        factor, offset = SCALES[setup.node]
        return factor * world + offset, world @ torch.tensor([[1.0], [-2.0]])

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return nn.functional.mse_loss(outputs, targets)

    def prepare(self, setup: Setup) -> DataSummary:
        self.node = setup.node
        return super().prepare(replace(setup, holdout=0.25, threads=1))

    def evaluate(self, parameters: NamedArrays, context: Context) -> EvaluateResult:
        self.seen[self.node] = {name: array.copy() for name, array in parameters.items()}
        return super().evaluate(parameters, context)


def config(**changes: Any) -> CoordinatorConfig:
    made = configured(
        rounds=ROUNDS,
        wait_for="2",
        min_workers=2,
        evaluate={"by": "workers", "first": False, "every": 0, "last": True, "timeout_s": 60.0},
        **changes,
    )
    return replace(made, train={"epochs": 5, "batch_size": 30, "learning_rate": 0.1})


def open_run(simulation: Simulation, disk: FakeDisk) -> RunDirectory:
    clock = simulation.wall_clock
    if RunDirectory.holds_run(RUN, disk=disk):
        return RunDirectory.resume(RUN, disk=disk, wall_clock=clock)
    return RunDirectory.create(RUN.parent, RUN.name, "", key="1" * 32, disk=disk, wall_clock=clock)


@dataclass(frozen=True)
class Outcome:
    """How a run ended, with which parameters each worker evaluated last, and the mean loss of that."""

    end: SimulatedEnd
    evaluated: dict[str, dict[str, np.ndarray]]
    loss: float


def run(local: str, *, killed: str = "", at: float = 0.0) -> Outcome:
    Sensors.seen.clear()
    simulation = Simulation()
    for name in SCALES:
        simulation.add(name, partial(Sensors, local=local))
    simulation.host(config(), partial(open_run, simulation))
    if killed:
        simulation.at(at, lambda: simulation.crash(killed, power_cut=True))
        simulation.at(at + 2.0, lambda: simulation.restart(killed))
    end = simulation.wait(until=1000.0)
    assert end.finish.status == "completed"
    [fact] = simulation.told(WorkersEvaluated)
    loss = fact.metrics["loss"]
    assert isinstance(loss, float)
    return Outcome(end, dict(Sensors.seen), loss)


@pytest.fixture(scope="module")
def own() -> Outcome:
    """A run in which each worker has batch normalisation of its own."""
    return run("bn*")


def test_each_worker_keeps_its_own_normalisation_and_evaluates_with_it(own: Outcome) -> None:
    for name, (factor, offset) in SCALES.items():
        statistics = own.evaluated[name]
        np.testing.assert_allclose(statistics["bn.running_mean"], offset, atol=0.3 * factor)
        np.testing.assert_allclose(np.sqrt(statistics["bn.running_var"]), factor, rtol=0.2)
    alice, bob = own.evaluated.values()
    assert alice["bn.weight"].tobytes() != bob["bn.weight"].tobytes()
    assert own.end.model is not None
    for name in ("head.weight", "head.bias"):
        assert alice[name].tobytes() == bob[name].tobytes() == own.end.model[name].tobytes()


def test_what_is_local_is_not_in_the_model_of_the_run(own: Outcome) -> None:
    assert own.end.model is not None
    assert sorted(own.end.model) == ["head.bias", "head.weight"]


def test_workers_whose_inputs_differ_learn_together_only_so(own: Outcome) -> None:
    assert own.loss < 0.1
    assert run("").loss > 1


@pytest.mark.parametrize("killed", ["bob", "coordinator"])
@pytest.mark.parametrize("at", [2.5, 6.4])
def test_a_kill_leaves_no_trace_in_the_model_or_in_what_is_local(
    own: Outcome, killed: str, at: float
) -> None:
    outcome = run("bn*", killed=killed, at=at)
    assert outcome.end.model == own.end.model
    for name, arrays in own.evaluated.items():
        for tensor, array in arrays.items():
            assert outcome.evaluated[name][tensor].tobytes() == array.tobytes(), (name, tensor)
