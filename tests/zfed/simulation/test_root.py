"""FLTrust in whole runs: the evaluator trains on root examples of its own."""

import numpy as np
import pytest

from tests.zfed.simulation.simulated import configured, run_once
from zfed.facts import Evaluated, RoundCommitted, Waiting
from zfed.simulation import Simulation
from zfed.task import DataSummary, EvaluateResult, Task, TrainResult

LOWEST = np.float32([3, -1, 0.5])
EVALUATED = {"first": True, "every": 1, "last": True, "timeout_s": 60.0}


class Descent(Task):
    """Goes half of the way to what its own examples say is best; a hostile worker goes ten times back."""

    def prepare(self, setup):
        self.hostile = setup.node.startswith("hostile")
        self.training, self.held_out = setup.hold_out(np.arange(20))
        return DataSummary(examples=len(self.training), held_out=len(self.held_out))

    def initial_parameters(self, context):
        return {"w": np.zeros(3, np.float32)}

    def train(self, parameters, context):
        step = np.float32(-5.0 if self.hostile else 0.5) * (LOWEST - parameters["w"])
        return TrainResult(parameters={"w": parameters["w"] + step}, examples=len(self.training), steps=1)

    def evaluate(self, parameters, context):
        distance = float(np.abs(parameters["w"] - LOWEST).max())
        return EvaluateResult(examples=len(self.held_out), metrics={"distance": distance})


def world(*, root_examples=5, **options):
    simulation = Simulation(**options)
    for name in ("alice", "bob", "hostile"):
        simulation.add(name, Descent)
    simulation.add("eva", Descent, kind="evaluator", root_examples=root_examples)
    return simulation


def config(**changes):
    return configured(**{"rounds": 6, "wait_for": "3", "strategy": "fltrust", **changes})


def test_workers_are_held_to_what_the_evaluator_makes_of_its_root_examples():
    simulation = world()
    ended = run_once(simulation, config(evaluate=EVALUATED))
    assert ended.finish.status == "completed"
    np.testing.assert_allclose(ended.model["w"], LOWEST * (1 - 0.5**6), rtol=1e-5)
    for fact in simulation.told(RoundCommitted):
        assert fact.workers == ["alice", "bob", "hostile"]
    assert {fact.examples for fact in simulation.told(Evaluated)} == {15}


def test_the_mean_would_have_been_led_astray():
    ended = run_once(world(), config(strategy="fedavg"))
    assert np.abs(ended.model["w"] - LOWEST).max() > 10


@pytest.mark.parametrize("at", [2.2, 3.4, 5.6])
def test_a_run_whose_evaluator_is_killed_ends_as_if_it_had_not_been(at):
    undisturbed = run_once(world(), config())
    simulation = world(seed=int(at * 10))
    simulation.at(at, lambda: simulation.crash("eva"))
    simulation.at(at + 3, lambda: simulation.restart("eva"))
    ended = run_once(simulation, config(rejoin_grace_s=20.0))
    assert ended.finish.status == "completed"
    assert ended.model.data.tobytes() == undisturbed.model.data.tobytes()


def test_a_run_waits_for_an_evaluator_and_says_so():
    simulation = Simulation()
    for name in ("alice", "bob", "hostile"):
        simulation.add(name, Descent)
    simulation.at(10.0, lambda: simulation.add("eva", Descent, kind="evaluator", root_examples=5))
    ended = run_once(simulation, config(rounds=1))
    assert ended.finish.status == "completed"
    assert "an evaluator with --root-examples for the root update for round 1" in {
        fact.missing for fact in simulation.told(Waiting)
    }


def test_a_run_whose_evaluator_keeps_no_root_examples_says_what_it_needs():
    ended = run_once(world(root_examples=0), config(rounds=1, wait_timeout_s=60.0))
    assert ended.finish.status == "failed"
    assert "waited 60 s for an evaluator with --root-examples for the root update" in ended.finish.reason
