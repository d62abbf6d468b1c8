"""Whole runs whose links are compressed: what is lost on the way is made good, and nothing counts twice."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.zfed.simulation.simulated import configured, run_once
from zfed.compression import Encoding, create_codec
from zfed.facts import Connected, NodeLeft, RoundCommitted, RoundRetried
from zfed.params import ParameterLayout
from zfed.simulation import Simulation
from zfed.task import DataSummary, EvaluateResult, Task, TrainResult
from zfed.transport.memory import LinkFaults

SIZE = 1200
NAMES = ("alice", "bob", "carol")
LAYOUT = ParameterLayout.build([("w", "F32", (SIZE,), "average"), ("seen", "I64", (), "counter")])
COMMON, *OWN = np.random.default_rng(1).normal(size=(4, SIZE)).astype(np.float32)
GOALS = {name: COMMON + np.float32(0.1) * own for name, own in zip(NAMES, OWN, strict=True)}
MEAN_GOAL = np.mean([GOALS[name] for name in NAMES], axis=0)


class Seek(Task):
    """Moves a fifth of the way to this node's goal; all together, to the mean of the goals."""

    def prepare(self, setup):
        self.node = setup.node
        return DataSummary(examples=1)

    def initial_parameters(self, context):
        return {"w": np.zeros(SIZE, np.float32), "seen": np.zeros((), np.int64)}

    def train(self, parameters, context):
        moved = parameters["w"] + np.float32(0.2) * (GOALS[self.node] - parameters["w"])
        return TrainResult(parameters={"w": moved, "seen": parameters["seen"] + 1}, examples=1)

    def evaluate(self, parameters, context):
        return EvaluateResult(examples=1, metrics={"sum": float(parameters["w"].sum(dtype=np.float64))})


def world(*, faults=None, task=Seek, nodes=NAMES, **links):
    simulation = Simulation(seed=3, faults=faults)
    for name in nodes:
        simulation.add(name, task, **links.get(name, {}))
    return simulation


def config(**run):
    # Near the goal the mean of updates is far smaller than each of them
    return configured(**{"rounds": 40, "wait_for": "3", "value_range": 8.0, **run})


def distance(ended):
    """How far a run ended from the goal, of how far it began."""
    return np.linalg.norm(ended.model["w"] - MEAN_GOAL) / np.linalg.norm(MEAN_GOAL)


@pytest.mark.parametrize(
    ("level", "rounds", "bound"),
    [("none", 40, 2e-4), ("bf16", 40, 2e-4), ("fp16", 40, 2e-4), ("int8", 40, 2e-4), ("topk:0.1", 40, 0.03)],
)
def test_run_gets_to_its_goal_at_every_level(level, rounds, bound):
    simulation = world()
    ended = run_once(simulation, config(rounds=rounds, compress=level))
    assert ended.finish.status == "completed"
    assert ended.model["seen"] == rounds
    assert distance(ended) < bound
    sent = Encoding(LAYOUT, create_codec(level)).nbytes
    assert {fact.bytes_up for fact in simulation.told(RoundCommitted)} == {3 * sent}


@pytest.mark.parametrize("level", ["bf16", "fp16", "int8"])
def test_run_gets_near_its_goal_from_models_in_fewer_bytes(level):
    simulation = world()
    ended = run_once(simulation, config(compress_model=level))
    assert distance(ended) < 5e-3
    sent = Encoding(LAYOUT, create_codec(level)).nbytes
    assert {fact.bytes_down for fact in simulation.told(RoundCommitted)} == {3 * sent}


@pytest.mark.parametrize(
    "run", [{}, {"compress": "int8", "compress_model": "int8"}, {"compress": "topk:0.1"}]
)
def test_broken_connections_and_rounds_tried_again_leave_no_trace_in_the_bytes(run):
    wanted = config(rounds=6, seed=5, min_workers=3, round_retries=50, **run)
    good = run_once(world(), wanted).model
    bad = world(faults=LinkFaults(cut=0.01))
    assert run_once(bad, wanted).model["w"].tobytes() == good["w"].tobytes()
    assert bad.told(NodeLeft)


def test_rounding_follows_the_runs_seed():
    models = [run_once(world(), config(rounds=3, seed=seed, compress="int8")).model for seed in (1, 1, 2)]
    first, again, other = (model["w"].tobytes() for model in models)
    assert first == again != other


def test_links_of_different_levels_take_part_in_one_run():
    simulation = world(
        alice={"compress": "none", "compress_model": "none"},
        bob={"compress": "topk:0.5", "compress_model": "bf16"},
        carol={"compress_model": "fp16"},
    )
    ended = run_once(simulation, config(compress="int8"))
    assert distance(ended) < 5e-3
    joined = {name: simulation.told(Connected, name)[0] for name in NAMES}
    assert [joined[name].compress for name in NAMES] == ["none", "topk:0.5", "int8"]
    assert [joined[name].compress_model for name in NAMES] == ["none", "bf16", "fp16"]


def test_tensor_that_the_run_excepts_arrives_as_it_was():
    plain, excepted = (
        run_once(world(), config(rounds=3, **run)).model["w"]
        for run in ({}, {"compress": "int8", "compress_model": "int8", "compress_except": ["w"]})
    )
    assert excepted.tobytes() == plain.tobytes()


def test_worker_that_was_restarted_begins_without_what_it_had_lost():
    simulation = world(nodes=("alice",))
    simulation.at(4.5, lambda: simulation.crash("alice"))
    simulation.at(4.6, lambda: simulation.restart("alice"))
    ended = run_once(simulation, config(wait_for="1", rounds=40, round_retries=50, compress="topk:0.1"))
    assert ended.finish.status == "completed"
    assert np.linalg.norm(ended.model["w"] - GOALS["alice"]) < 0.03 * np.linalg.norm(GOALS["alice"])


CUT_OFF = config(
    rounds=4,
    min_workers=3,
    round_retries=50,
    round_timeout_s=15.0,
    compress="topk:0.1",
    compress_model="int8",
)


@cache
def undisturbed():
    return run_once(world(), CUT_OFF).model["w"].tobytes()


def cut_off(node, at, lasting):
    """The same run, in which a node cannot be reached for some seconds."""
    simulation = world()
    simulation.at(at, lambda: simulation.network.isolate(node))
    simulation.at(at + lasting, lambda: simulation.network.reconnect(node))
    return simulation, run_once(simulation, CUT_OFF).model["w"].tobytes()


@settings(max_examples=10, deadline=None)
@given(st.sampled_from(NAMES), st.floats(0.5, 6.0), st.floats(0.5, 60.0))
def test_worker_cut_off_at_any_time_loses_nothing_and_counts_nothing_twice(node, at, lasting):
    assert cut_off(node, at, lasting)[1] == undisturbed()


def test_updates_of_a_round_tried_again_are_those_of_its_first_attempt():
    simulation, model = cut_off("bob", 2.5, 60.0)
    assert simulation.told(RoundRetried)
    assert model == undisturbed()
