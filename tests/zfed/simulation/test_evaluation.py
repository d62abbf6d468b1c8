"""Runs in memory whose workers evaluate, and runs that end early or keep their best version."""

from functools import partial
from pathlib import Path

import orjson
import pytest

from tests.zfed.simulation.simulated import Steps, configured, run_directory, sized
from zfed.checkpoint import RunDirectory
from zfed.facts import Evaluated, EvaluationSkipped, NodeRefused, WorkersEvaluated
from zfed.simulation import Simulation
from zfed.task import DataSummary, EvaluateResult

RUN = Path("/runs/evaluated")
BY_WORKERS = {"by": "workers", "first": True, "every": 1, "last": True, "timeout_s": 60.0}


SUMMED = {"count": "sum"}


def holding_out(*found, examples=4, **more):
    """A task that finds these values of accuracy, one for each version, the last one ever after."""

    def prepare(self, setup):
        return DataSummary(examples=1, held_out=4)

    def evaluate(self, parameters, context):
        value = found[min(context.round, len(found)) - 1]
        return EvaluateResult(examples=examples, metrics={"accuracy": value, "count": 1})

    return type("HoldingOut", (Steps,), {"prepare": prepare, "evaluate": evaluate, "merge": SUMMED, **more})


class Idle(Steps):
    """Holds nothing out."""

    merge = SUMMED


def run(simulation, config):
    """The run's end, and what its journal and its folder of models hold then."""
    with run_directory() as directory:
        ended = simulation.run(config, directory, until=100_000.0)
        lines = [orjson.loads(line) for line in (directory.path / "journal.jsonl").read_bytes().splitlines()]
        return ended, lines, sorted(path.name for path in (directory.path / "models").iterdir())


def simulated(**tasks):
    simulation = Simulation(work_s=lambda node, work: 1.0)
    for name, task in tasks.items():
        simulation.add(name, task)
    return simulation


def test_every_version_is_evaluated_by_the_workers_that_hold_examples_out():
    simulation = simulated(alice=holding_out(0.5), bob=holding_out(0.75), carol=Idle)
    run(simulation, configured(rounds=3, wait_for="3", evaluate=BY_WORKERS))
    found = simulation.told(WorkersEvaluated)
    assert [(fact.round, fact.workers, fact.examples) for fact in found] == [
        (round, ["alice", "bob"], 8) for round in (1, 2, 3)
    ]
    assert found[0].metrics == {"accuracy": 0.625, "count": 2}
    assert not simulation.told(Evaluated)


def test_each_answer_but_the_last_has_a_line_of_its_own():
    simulation = simulated(alice=holding_out(0.5), bob=holding_out(0.75))
    _, lines, _ = run(simulation, configured(rounds=1, wait_for="2", evaluate=BY_WORKERS))
    told = [line for line in lines if line["event"] in ("answered", "evaluated")]
    assert [line["event"] for line in told] == ["answered", "evaluated"]
    assert told[1]["metrics"]["spread"]["accuracy"]["worst_worker"] == "alice"


def test_workers_and_evaluator_say_what_each_finds():
    simulation = simulated(alice=holding_out(0.5))
    simulation.add("examiner", holding_out(1.0), kind="evaluator")
    run(simulation, configured(rounds=1, wait_for="alice,examiner", evaluate={**BY_WORKERS, "by": "both"}))
    assert [fact.metrics["accuracy"] for fact in simulation.told(WorkersEvaluated)] == [0.5]
    assert [fact.metrics["accuracy"] for fact in simulation.told(Evaluated)] == [1.0]


def test_a_node_whose_task_merges_otherwise_is_refused_with_the_metric():
    simulation = simulated(alice=holding_out(0.5), bob=holding_out(0.5, merge={"count": "max"}))
    run(simulation, configured(rounds=1, wait_for="1", evaluate=BY_WORKERS))
    assert any("merges the metric 'count'" in fact.reason for fact in simulation.told(NodeRefused))


def test_if_no_worker_holds_examples_out_that_is_said():
    simulation = simulated(alice=sized(1))
    run(simulation, configured(rounds=1, evaluate=BY_WORKERS))
    [skipped] = simulation.told(EvaluationSkipped)
    assert "see --holdout of workers" in skipped.reason


WATCHED = {**BY_WORKERS, "watch": "accuracy", "watch_on": "workers"}
FOUND = (0.25, 0.5, 0.75, 0.5, 0.5, 0.5, 0.5)


def test_the_best_version_is_kept_however_many_come_after_it():
    simulation = simulated(alice=holding_out(*FOUND))
    ended, lines, models = run(simulation, configured(rounds=7, keep_models=1, evaluate=WATCHED))
    assert ended.finish.best.version == 3
    assert lines[-1]["event"] in ("ended", "left")
    assert next(line for line in lines if line["event"] == "ended")["best"] == 3
    assert "v00003.safetensors" in models
    assert "v00004.safetensors" not in models


def test_a_run_without_a_better_version_ends_early_as_completed():
    simulation = simulated(alice=holding_out(*FOUND))
    ended, _, _ = run(simulation, configured(rounds=100, evaluate={**WATCHED, "patience": 2}))
    assert (ended.finish.status, ended.finish.best.round) == ("completed", 3)
    assert ended.finish.rounds_done in (5, 6)  # the last evaluation is known while the next round is open
    assert ended.finish.reason.startswith("early stop: accuracy has not become better in 2 evaluations")


def opened(simulation, disk):
    if RunDirectory.holds_run(RUN, disk=disk):
        return RunDirectory.resume(RUN, disk=disk, wall_clock=simulation.wall_clock)
    return RunDirectory.create(
        RUN.parent, RUN.name, "", key="0" * 32, disk=disk, wall_clock=simulation.wall_clock
    )


@pytest.mark.parametrize("at", [2.5, 4.5, 6.5, 8.5, 10.5])
def test_a_coordinator_that_is_killed_decides_as_it_would_have(at):
    simulation = simulated(alice=holding_out(*FOUND))
    config = configured(rounds=100, keep_models=1, evaluate={**WATCHED, "patience": 2})
    simulation.host(config, partial(opened, simulation))
    simulation.at(at, lambda: simulation.crash("coordinator", power_cut=True))
    simulation.at(at + 5.0, lambda: simulation.restart("coordinator"))
    finish = simulation.wait(until=10_000.0).finish
    assert (finish.status, finish.best.round, finish.best.value) == ("completed", 3, 0.75)
    assert finish.reason.startswith("early stop")
