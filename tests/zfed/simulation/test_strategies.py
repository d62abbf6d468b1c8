"""Every strategy in whole runs: real updates over the wire, and a coordinator that is killed at any time."""

from dataclasses import replace
from functools import cache, partial

import numpy as np
import pytest

from tests.zfed.simulation.simulated import Steps, configured, delta_of, open_run, run_once
from zfed.facts import RoundCommitted
from zfed.plugins import settings_of
from zfed.simulation import Simulation
from zfed.strategies import STRATEGIES
from zfed.task import LEARNING_RATE, LOSS_BEFORE, TrainResult

WORKERS = 7
"""As many as the most demanding rule needs for one hostile worker."""

ROUNDS = 4

NAMED = sorted(name for name, found in STRATEGIES.items() if name not in ("fltrust", "scaffold"))
"""Those two have runs of their own: one needs an evaluator, the other tasks that correct their steps."""


class Telling(Steps):
    """Says all that a strategy may want, of each worker something else."""

    def train(self, parameters, context):
        number = int(self.node[1:])
        trained = {"w": parameters["w"] + delta_of(context.seed)}
        told = {LOSS_BEFORE: 0.5 + number / 4, LEARNING_RATE: 0.1}
        metrics = {name: told[name] for name in context.wants}
        return TrainResult(parameters=trained, examples=1, steps=1 + number, metrics=metrics)


def run_of(name, seed=0):
    needed = {each.name: 0.5 for each in settings_of(STRATEGIES[name]).values() if each.default is each.empty}
    simulation = Simulation(seed=seed)
    for number in range(WORKERS):
        simulation.add(f"w{number}", Telling)
    run = {"rounds": ROUNDS, "wait_for": str(WORKERS), "min_workers": WORKERS, "round_retries": 100}
    return simulation, replace(configured(strategy=name, **run), strategy=needed)


@cache
def undisturbed(name):
    return run_once(*run_of(name)).model.data.tobytes()


@pytest.mark.parametrize("name", NAMED)
@pytest.mark.parametrize("at", [2.3, 3.05])
def test_a_killed_coordinator_leaves_no_trace_in_the_model(name, at):
    simulation, config = run_of(name, seed=int(10 * at))
    simulation.host(config, partial(open_run, simulation))
    simulation.at(at, lambda: simulation.crash("coordinator", power_cut=True))
    simulation.at(at + 3.0, lambda: simulation.restart("coordinator"))
    ended = simulation.wait(until=1000.0)
    assert ended.finish.status == "completed"
    assert {fact.version for fact in simulation.told(RoundCommitted)} == set(range(1, ROUNDS + 1))
    assert ended.model.data.tobytes() == undisturbed(name)
    assert np.frombuffer(undisturbed(name), np.float32).any()


def test_no_two_strategies_are_the_same():
    models = {name: undisturbed(name) for name in NAMED}
    assert len(set(models.values())) == len(models)
