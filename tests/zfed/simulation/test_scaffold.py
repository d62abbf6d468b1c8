"""SCAFFOLD in whole runs: its two halves over the wire, and after a kill at any time."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from tests.zfed.simulation.simulated import configured, open_run, run_once
from tests.zfed.strategies.scaffold_paper import Problem, paper
from zfed.config.train import TrainSettings
from zfed.control_variates import ControlVariates
from zfed.facts import RoundCommitted, UpdateRefused
from zfed.simulation import Simulation
from zfed.task import DataSummary, EvaluateResult, Task, TrainResult

NAMES = ("alice", "bob", "carol")
PROBLEM = Problem.drawn(7, workers=3, steps=(8, 3, 11), rates=(0.05, 0.05, 0.05))
ROUNDS = 12


class Quadratic(Task):
    """One worker's part of the problem, as a user would write it."""

    def prepare(self, setup):
        self.worker = NAMES.index(setup.node)
        return DataSummary(examples=10)

    def initial_parameters(self, context):
        return {"x": np.zeros(PROBLEM.optima.shape[1], np.float32)}

    def train(self, parameters, context):
        settings = TrainSettings.parse(context.settings)
        control = ControlVariates.of(context, settings)
        x, steps = parameters["x"].copy(), PROBLEM.steps[self.worker]
        for _ in range(steps):
            gradient = PROBLEM.gradient(self.worker, x)
            if control:
                gradient += control.corrections["x"]
            x -= np.float32(settings.learning_rate) * gradient.astype(np.float32)
        metrics = control.settle(parameters, {"x": x}, steps * settings.learning_rate) if control else {}
        return TrainResult(parameters={"x": x}, examples=10, steps=steps, metrics=metrics)

    def evaluate(self, parameters, context):
        return EvaluateResult(examples=1)


class Unaware(Quadratic):
    """Trains as ever, whatever came beside the model."""

    def train(self, parameters, context):
        return super().train(parameters, replace(context, vectors={}))


CONFIG = replace(
    configured(rounds=ROUNDS, wait_for="3", min_workers=3, strategy="scaffold", round_retries=100),
    train={"learning_rate": 0.05},
)


def undisturbed():
    simulation = Simulation()
    for name in NAMES:
        simulation.add(name, Quadratic)
    return run_once(simulation, CONFIG).model


def test_a_run_is_the_papers_to_the_precision_of_its_numbers():
    *_, (x, _) = paper(PROBLEM, [range(3)] * ROUNDS)
    np.testing.assert_allclose(undisturbed()["x"], x, atol=1e-5)


@pytest.mark.parametrize("killed", ["coordinator", "bob"])
@pytest.mark.parametrize("at", [2.3, 5.05, 7.9])
@pytest.mark.parametrize("power_cut", [False, True])
def test_a_kill_leaves_no_trace_in_the_model(killed, at, power_cut):
    """What a worker keeps, c_i, and what the coordinator keeps, c, are those of the last commit."""
    simulation = Simulation(seed=int(10 * at))
    for name in NAMES:
        simulation.add(name, Quadratic)
    simulation.host(CONFIG, partial(open_run, simulation))
    simulation.at(at, lambda: simulation.crash(killed, power_cut=power_cut))
    simulation.at(at + 3.0, lambda: simulation.restart(killed))
    ended = simulation.wait(until=1000.0)
    assert ended.finish.status == "completed"
    assert len({fact.version for fact in simulation.told(RoundCommitted)}) == ROUNDS
    assert ended.model.data.tobytes() == undisturbed().data.tobytes()


def test_a_worker_whose_task_does_not_correct_its_steps_is_told_so():
    simulation = Simulation()
    for name, task in zip(NAMES, (Quadratic, Quadratic, Unaware), strict=True):
        simulation.add(name, task)
    config = replace(CONFIG, run=replace(CONFIG.run, rounds=1, min_workers=1))
    run_once(simulation, config)
    [refused] = simulation.told(UpdateRefused)
    assert (refused.node, refused.code) == ("carol", "strategy")
    assert "'step_sum' among its metrics, which scaffold needs" in refused.reason
    [committed] = simulation.told(RoundCommitted)
    assert committed.workers == ["alice", "bob"]
