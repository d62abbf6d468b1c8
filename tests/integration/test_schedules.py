"""Real processes under schedules that do not wait for everybody."""

import json
import signal
from pathlib import Path

import pytest

from zfed.facts import RoundCommitted, RoundOpened, RunEnded

pytestmark = pytest.mark.processes

NAMES = ("alice", "bob", "carol")


def rounds_of(coordinator):
    [ended] = coordinator.told(RunEnded)
    lines = map(json.loads, Path(ended.metrics).read_text().splitlines())
    return [line for line in lines if line["event"] == "round"]


def started(fleet, *flags, rounds, slow_s):
    """Three workers, the last of whom takes so many seconds for a round."""
    coordinator = fleet.coordinator("--rounds", rounds, "--wait-for", ",".join(NAMES), *flags)
    pauses = dict.fromkeys(NAMES, 0.3) | {"carol": slow_s}
    nodes = [
        fleet.worker(name, pause_s=pause, log=fleet.folder / f"{name}.log") for name, pause in pauses.items()
    ]
    return coordinator, nodes


def log_of(fleet, name):
    return (fleet.folder / f"{name}.log").read_text().splitlines()


def stopped(coordinator, nodes):
    """Ends a run that would go on for long; how its nodes ended."""
    coordinator.interrupt()
    return [coordinator.exit_code(), *(node.exit_code() for node in nodes)]


def has_carol(fact):
    return "carol" in fact.workers


def test_quorum_goes_on_without_the_slowest_whose_task_is_told_to_stop(fleet):
    coordinator, nodes = started(fleet, "--schedule", "quorum", "--goal", 2, rounds=4, slow_s=60.0)
    assert [node.exit_code() for node in (coordinator, *nodes)] == [0] * 4
    assert [fact.workers for fact in coordinator.told(RoundCommitted)] == [["alice", "bob"]] * 4
    assert coordinator.told(RoundCommitted)[0].missing == ["carol (enough others had answered)"]
    begun = log_of(fleet, "carol")
    assert "ended" not in " ".join(begun)
    assert len(begun) > 1, "it was not asked again once it had stopped"


def test_buffered_takes_what_the_slow_worker_made_when_it_comes(fleet):
    coordinator, nodes = started(
        fleet, "--schedule", "buffered", "--goal", 2, "--max-staleness", 1000, rounds=1000, slow_s=2.0
    )
    late = coordinator.awaited(RoundCommitted, has_carol)
    assert stopped(coordinator, nodes) == [130, 0, 0, 0]
    assert late.per_worker["carol"].staleness > 0
    committed = coordinator.told(RoundCommitted)
    assert all(len(fact.workers) == len(set(fact.workers)) == 2 for fact in committed)
    assert len(rounds_of(coordinator)) == len(committed)


def test_async_makes_a_version_of_each_update(fleet):
    coordinator, nodes = started(fleet, "--schedule", "async", rounds=6, slow_s=0.6)
    assert [node.exit_code() for node in (coordinator, *nodes)] == [0] * 4
    assert [len(fact.workers) for fact in coordinator.told(RoundCommitted)] == [1] * 6


def test_a_killed_coordinator_takes_up_what_was_under_way_for_an_older_version(fleet):
    flags = ("--schedule", "buffered", "--goal", 2, "--max-staleness", 1000)
    coordinator, nodes = started(fleet, *flags, rounds=1000, slow_s=4.0)
    coordinator.awaited(RoundOpened, round=3)
    coordinator.process.send_signal(signal.SIGKILL)
    assert coordinator.exit_code() == -signal.SIGKILL
    awaited = ("--rounds", 1000, "--wait-for", ",".join(NAMES))
    again = fleet.coordinator(*flags, *awaited, bind=fleet.address)
    late = again.awaited(RoundCommitted, has_carol)
    assert stopped(again, nodes) == [130, 0, 0, 0]
    assert late.per_worker["carol"].staleness >= 2
    assert log_of(fleet, "carol")[:2] == ["began 1", "ended 1"], "its work was thrown away"
