"""Whole rounds under limits, in virtual time: how long they take is a law, not a measurement."""

import numpy as np
import pytest

from tests.zfed.simulation.simulated import Steps, configured, run_once
from zfed.facts import NodeLeft, Progress, RoundCommitted
from zfed.simulation import Simulation
from zfed.transport.memory import LinkFaults

MB = 10**6


def wide(nbytes):
    """A task whose model has as many bytes."""

    class Wide(Steps):
        def initial_parameters(self, context):
            return {"w": np.zeros(nbytes // 4, np.float32)}

        def train(self, parameters, context):
            result = super().train({"w": parameters["w"][:6]}, context)
            result.parameters["w"] = parameters["w"] + np.float32(0.5)
            return result

    return Wide


def round_of(simulation, **run):
    """Run one round in which training takes no time; what was told of it."""
    simulation.work_s = lambda node, work: 0.0
    run_once(simulation, configured(rounds=1, round_timeout_s=10_000.0, **run))
    assert not simulation.told(NodeLeft)
    [committed] = simulation.told(RoundCommitted)
    return committed


def trained_at(simulation, node):
    """When a node had its model, and so its update."""
    return next(
        told.at
        for told in simulation.trace
        if told.node == node and type(told.fact) is Progress and told.fact.stage == "train"
    )


@pytest.mark.parametrize("limit", [0.1, 3.0])
def test_a_round_of_a_limited_worker_takes_its_bytes_over_its_limits(limit):
    simulation = Simulation(seed=1)
    simulation.add("alice", wide(int(4 * limit * MB)), limit_up=limit, limit_down=limit / 2)
    committed = round_of(simulation)
    assert committed.bytes_down == committed.bytes_up == int(4 * limit * MB)
    assert committed.seconds == pytest.approx(4 + 8, rel=0.1)


def test_a_coordinators_limits_are_totals_over_all_workers():
    simulation = Simulation(seed=2)
    for name in ("alice", "bob", "carol"):
        simulation.add(name, wide(MB))
    committed = round_of(simulation, wait_for="3", limit_up=0.6, limit_down=0.3)
    assert committed.seconds == pytest.approx(3 / 0.6 + 3 / 0.3, rel=0.1)


def test_a_coordinators_limit_is_shared_fairly():
    """All workers have their model at about the same time."""
    simulation = Simulation(seed=3)
    names = ("alice", "bob", "carol")
    for name in names:
        simulation.add(name, wide(MB))
    round_of(simulation, wait_for="3", limit_up=0.3)
    times = [trained_at(simulation, name) for name in names]
    assert max(times) - min(times) < 0.5


def test_a_worker_that_is_slow_by_itself_leaves_its_share_to_others():
    simulation = Simulation(seed=4)
    simulation.add("alice", wide(MB), limit_down=0.05)
    simulation.add("bob", wide(MB))
    committed = round_of(simulation, wait_for="2", limit_up=0.25)
    assert committed.seconds == pytest.approx(1 / 0.05, rel=0.1)
    sooner_s = trained_at(simulation, "alice") - trained_at(simulation, "bob")
    assert sooner_s == pytest.approx(1 / 0.05 - 1 / (0.25 - 0.05), rel=0.1)


def test_a_pull_that_waits_for_its_turn_is_not_taken_for_a_lost_one():
    """With so many in line the turn comes long after a lost PULL would be sent again."""
    simulation = Simulation(seed=5, faults=LinkFaults(delay_s=(0.01, 0.05)))
    many = 100
    for number in range(many):
        simulation.add(f"w{number}", wide(8000))
    committed = round_of(simulation, wait_for=str(many), limit_up=0.01)
    assert committed.bytes_down == pytest.approx(many * 8000, rel=0.01)
    assert committed.seconds == pytest.approx(many * 8000 / 0.01 / MB, rel=0.1)


def test_a_worker_that_goes_in_the_middle_and_comes_back_holds_nobody_up():
    """What it was owed is forgotten with its session, and the share is the other's."""
    simulation = Simulation(seed=6)
    for name in ("alice", "bob"):
        simulation.add(name, wide(MB))
    simulation.work_s = lambda node, work: 0.0
    simulation.at(5.0, lambda: simulation.crash("alice"))
    simulation.at(9.0, lambda: simulation.restart("alice"))
    run_once(simulation, configured(rounds=1, wait_for="2", rejoin_grace_s=60.0, limit_up=0.2))
    [committed] = simulation.told(RoundCommitted)
    assert committed.workers == ["alice", "bob"]
    assert trained_at(simulation, "bob") < 8.5
    assert trained_at(simulation, "alice") == pytest.approx(9.0 + 1 / 0.2, rel=0.1)
