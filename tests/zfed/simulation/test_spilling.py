"""Whole runs on bad links with memory for one update at a time: what memory has no room for goes to disk."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.zfed.simulation.simulated import configured, run_once
from tests.zfed.simulation.test_world import check_run, committed, three
from zfed.facts import RoundOpened
from zfed.nodes.coordinator_words import OpenSpill
from zfed.nodes.spill_jobs import SpillJobs
from zfed.transport import LinkFaults

ONE_IN_MEMORY = "312"
"""Bytes; the model has 24."""


@pytest.fixture
def files(monkeypatch):
    """The jobs that made a file, whole and real."""
    opened, perform = [], SpillJobs.perform

    def noted(self, job):
        if isinstance(job, OpenSpill):
            opened.append(job)
        return perform(self, job)

    monkeypatch.setattr(SpillJobs, "perform", noted)
    return opened


@settings(max_examples=10)
@given(st.integers(0, 2**16))
def test_run_on_lossy_links_with_little_memory_ends_right(seed):
    simulation = three(seed=seed, faults=LinkFaults(delay_s=(0.01, 0.1), loss=0.15))
    config = configured(rounds=3, wait_for="3", memory_budget=ONE_IN_MEMORY)
    check_run(simulation, config, run_once(simulation, config))


def run_held_up(**options):
    """Alice's upload has begun when she crashes, and keeps its place until she is back after 20 s."""

    def begun():
        simulation = three(faults=LinkFaults(delay_s=(1.0, 1.0)))
        return simulation, configured(rounds=1, wait_for="3", rejoin_grace_s=100.0, **options)

    simulation, config = begun()
    run_once(simulation, config)
    opened_at = next(told.at for told in simulation.trace if isinstance(told.fact, RoundOpened))
    simulation, config = begun()
    # TRAIN takes a second, the model two, the task one, UPDATE another; PULL is on its way then
    simulation.at(opened_at + 5.5, lambda: simulation.crash("alice"))
    simulation.at(opened_at + 25.5, lambda: simulation.restart("alice"))
    return simulation, config, run_once(simulation, config)


def test_who_waits_for_a_worker_that_crashed_is_received_to_disk_and_counts(files):
    simulation, config, ended = run_held_up(memory_budget=ONE_IN_MEMORY)
    assert len(files) == 2
    check_run(simulation, config, ended)
    assert [fact.workers for fact in committed(simulation)] == [["alice", "bob", "carol"]]


@pytest.mark.parametrize("level", ["none", "bf16", "int8", "topk:0.5"])
def test_way_over_the_disk_changes_no_bit(files, level):
    _, _, ample = run_held_up(compress=level)
    assert not files
    _, _, scarce = run_held_up(compress=level, memory_budget=ONE_IN_MEMORY)
    assert len(files) == 2
    np.testing.assert_array_equal(ample.model["w"], scarce.model["w"])
