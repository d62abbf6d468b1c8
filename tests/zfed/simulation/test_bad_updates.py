"""Workers that send bad updates, over networks that lose, repeat and delay."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.zfed.simulation.simulated import Steps, configured, expected_model, run_once
from zfed.facts import RoundCommitted, UpdateRefused, WorkerBenched
from zfed.simulation import Simulation
from zfed.transport import LinkFaults

STRIKES = 3
PEACE_AT = 40.0


def spoilt(how, value):
    """A task that puts a value into its update when `how` says so of the round."""

    class Spoilt(Steps):
        def train(self, parameters, context):
            result = super().train(parameters, context)
            if how(context.round):
                result.parameters["w"][3] = parameters["w"][3] + np.float32(value)
            return result

    return Spoilt


def with_bob(task, *, seed=0, faults=None, **options):
    """A run of two good workers and bob's task."""
    simulation = Simulation(seed=seed, faults=faults)
    for name, each in (("alice", Steps), ("bob", task), ("carol", Steps)):
        simulation.add(name, each)
    simulation.at(PEACE_AT, lambda: setattr(simulation.network, "faults", LinkFaults()))
    settings = {"rounds": 8, "wait_for": "3", "max_norm": 10.0, "strikes": STRIKES, "round_retries": 1000}
    config = configured(**{**settings, **options})
    return simulation, config, run_once(simulation, config)


FAULTS = st.builds(
    LinkFaults,
    delay_s=st.just((0.0, 0.2)),
    loss=st.sampled_from([0.0, 0.1]),
    duplication=st.sampled_from([0.0, 0.5]),
    reordering=st.sampled_from([0.0, 0.5]),
    cut=st.sampled_from([0.0, 0.02]),
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 2**32),
    faults=FAULTS,
    bad=st.sets(st.integers(1, 8)),
    value=st.sampled_from([np.nan, np.inf, -1e38, 60.0]),
    compress=st.sampled_from(["none", "none", "fp16"]),
)
def test_no_bad_update_is_in_the_model_and_who_sent_too_many_is_benched(seed, faults, bad, value, compress):
    task = spoilt(bad.__contains__, value)
    simulation, config, ended = with_bob(task, seed=seed, faults=faults, compress=compress)
    assert ended.finish.status == "completed"
    commits, refused = simulation.told(RoundCommitted), simulation.told(UpdateRefused)
    assert not any(fact.round in bad and "bob" in fact.workers for fact in commits)
    strikes = [fact.round for fact in refused if fact.node == "bob" and fact.code != "stale"]
    benched = simulation.told(WorkerBenched)
    assert [fact.round for fact in benched] == strikes[STRIKES - 1 :]
    assert not any(fact.round > benched[0].round and "bob" in fact.workers for fact in commits if benched)
    assert not [fact for fact in refused if fact.node != "bob" and fact.code != "stale"]
    if compress == "none":
        np.testing.assert_allclose(ended.model["w"], expected_model(simulation, config), atol=1e-5)


def test_a_benched_worker_is_told_stays_and_ends_with_the_run():
    simulation, _, _ = with_bob(spoilt(lambda round: True, np.nan))
    simulation.settle(until=simulation.clock.now + 10)
    assert "bob is benched: 3 of its updates were refused" in simulation.told(UpdateRefused, "bob")[-1].reason
    assert simulation.finish_of("bob").status == "completed"


def test_a_benched_worker_that_is_started_again_ends_with_the_reason():
    simulation = Simulation()
    for name, each in (("alice", Steps), ("bob", spoilt(lambda round: True, np.nan))):
        simulation.add(name, each)

    def start_bob_again():
        simulation.crash("bob")
        simulation.restart("bob")

    simulation.at(20.0, start_bob_again)
    run_once(simulation, configured(rounds=60, wait_for="2", strikes=2))
    finish = simulation.finish_of("bob")
    assert finish.status == "failed"
    assert "bob is benched: 2 of its updates were refused, --strikes is 2" in finish.reason


@pytest.mark.parametrize(("strikes", "rounds"), [(1, 1), (3, 3)])
def test_a_run_whose_only_worker_is_benched_fails_soon_with_that_reason(strikes, rounds):
    simulation = Simulation()
    simulation.add("bob", spoilt(lambda round: True, np.inf))
    ended = run_once(simulation, configured(rounds=9, wait_for="1", strikes=strikes))
    assert ended.finish.status == "failed"
    assert "benched for refused updates: bob" in ended.finish.reason
    assert simulation.clock.now < 60.0
    assert len(simulation.told(UpdateRefused)) == rounds
