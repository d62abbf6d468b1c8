"""What the coordinator asks of training, what owners allow, and who does something else."""

from dataclasses import replace

import numpy as np
import pytest

from tests.zfed.simulation.simulated import configured, run_once
from zfed.config import ScheduleConfig, SelectConfig
from zfed.config.train import TrainSettings
from zfed.data.batches import batches_of_round
from zfed.errors import ConfigError
from zfed.facts import (
    RoundCommitted,
    RoundRetried,
    TaskFailed,
    UpdateAccepted,
    UpdateRefused,
    WorkerBenched,
    WorkLimited,
)
from zfed.nodes.owner_limits import OwnerLimits
from zfed.simulation import Simulation
from zfed.task import DataSummary, EvaluateResult, Task, TrainResult
from zfed.telemetry import metrics_record

EXAMPLES = 100


class Counted(Task):
    """Adds 1 to the model for each batch that `[train]` asks for."""

    def prepare(self, setup):
        return DataSummary(examples=EXAMPLES)

    def initial_parameters(self, context):
        return {"w": np.zeros(3, np.float32)}

    def train(self, parameters, context):
        settings = TrainSettings.parse(context.settings)
        steps = len(list(batches_of_round(EXAMPLES, settings, context)))
        return TrainResult(parameters={"w": parameters["w"] + steps}, examples=EXAMPLES, steps=steps)

    def evaluate(self, parameters, context):
        return EvaluateResult(examples=1)


class Eager(Counted):
    """Does twice what it is asked for."""

    def train(self, parameters, context):
        return super().train(
            parameters,
            replace(context, settings={**context.settings, "epochs": 2 * context.settings["epochs"]}),
        )


def run_of(tasks, *, train, limits=None, schedule=None, select=None, **run):
    simulation = Simulation()
    for name, task in tasks.items():
        simulation.add(name, task, limits=(limits or {}).get(name))
    config = configured(wait_for=str(len(tasks)), **run)
    config = replace(
        config, train=train, schedule=schedule or config.schedule, select=select or config.select
    )
    return simulation, run_once(simulation, config)


def test_an_owner_cuts_a_round_short_and_both_sides_say_so():
    train = {"epochs": 4, "batch_size": 10}
    limits = {"alice": OwnerLimits(max_epochs=1.5)}
    simulation, end = run_of({"alice": Counted, "bob": Counted}, train=train, limits=limits, rounds=2)
    assert end.finish.status == "completed"
    assert [(told.round, told.limited, told.steps) for told in simulation.told(WorkLimited, "alice")] == [
        (1, "max-epochs", 15),
        (2, "max-epochs", 15),
    ]
    assert not simulation.told(WorkLimited, "bob")
    shown = {(told.node, told.steps, told.limited) for told in simulation.told(UpdateAccepted)}
    assert shown == {("alice", 15, "max-epochs"), ("bob", 40, "")}
    workers = metrics_record(simulation.told(RoundCommitted)[0])["per_worker"]
    assert workers["alice"]["limited"] == "max-epochs"
    assert "limited" not in workers["bob"]
    assert end.model["w"][0] == 2 * (15 + 40) / 2  # as many examples, so as much weight, each


def test_a_worker_that_does_more_than_it_was_asked_for_is_refused_and_at_last_benched():
    train = {"epochs": 1, "batch_size": 10}
    simulation, end = run_of({"alice": Counted, "bob": Eager}, train=train, rounds=5, strikes=3)
    assert end.finish.status == "completed"
    refusals = simulation.told(UpdateRefused)
    assert {(told.node, told.code, told.seen, told.limit) for told in refusals} == {
        ("bob", "configuration", "20", "10")
    }
    assert "took 20 steps on 100 examples, [train] asks for 10" in refusals[0].reason
    assert [told.node for told in simulation.told(WorkerBenched)] == ["bob"]
    assert end.model["w"][0] == 5 * 10


def test_a_run_whose_workers_all_refuse_the_settings_ends_at_once_with_what_they_say():
    train = {"epochs": 1, "batch_sise": 10}
    simulation, end = run_of({"alice": Counted, "bob": Counted}, train=train, round_retries=1000)
    assert (end.finish.status, end.finish.rounds_done) == ("failed", 0)
    assert "too few workers are left for round 1: 0 of at least 1; alice and 1 more" in end.finish.reason
    assert "has an unknown key 'batch_sise'; did you mean \"batch_size\"?" in end.finish.reason
    assert len(simulation.told(TaskFailed)) == 2
    assert not simulation.told(RoundRetried)


class Older(Counted):
    """Knows less than the others."""

    def train(self, parameters, context):
        raise ConfigError("[train] has an unknown key 'batch_size'")


@pytest.mark.parametrize("kind", ["sync", "buffered"])
def test_a_worker_that_refuses_the_settings_is_asked_once_and_the_others_go_on_without_it(kind):
    train = {"epochs": 1, "batch_size": 10}
    schedule = ScheduleConfig(kind=kind, goal="" if kind == "sync" else "2")
    tasks = {"alice": Counted, "bob": Older, "carol": Counted}
    simulation, end = run_of(tasks, train=train, schedule=schedule, rounds=4)
    assert end.finish.status == "completed"
    assert [told.node for told in simulation.told(TaskFailed)] == ["bob"]
    assert {name for told in simulation.told(RoundCommitted) for name in told.workers} == {"alice", "carol"}


def test_a_worker_that_joins_again_is_asked_again():
    tasks = iter([Older, Counted])  # its owner has installed what it lacked
    simulation = Simulation(work_s=lambda node, work: 400.0)
    simulation.add("alice", Counted)
    simulation.add("bob", lambda: next(tasks)())
    simulation.at(1000.0, lambda: simulation.crash("bob"))
    simulation.at(1001.0, lambda: simulation.restart("bob"))
    config = configured(wait_for="2", rounds=6, round_timeout_s=1000.0)
    end = run_once(simulation, replace(config, train={"epochs": 1, "batch_size": 10}))
    assert end.finish.status == "completed"
    assert [told.workers for told in simulation.told(RoundCommitted)][::5] == [["alice"], ["alice", "bob"]]


@pytest.mark.parametrize(
    ("run", "select"), [({"min_workers": 3}, SelectConfig()), ({}, SelectConfig(min_cohort=3))]
)
def test_too_few_others_end_a_run_with_what_a_worker_refuses(run, select):
    train = {"epochs": 1, "batch_size": 10}
    tasks = {"alice": Counted, "bob": Older, "carol": Counted}
    _, end = run_of(tasks, train=train, select=select, **run)
    assert end.finish.status == "failed"
    assert "2 of at least 3; bob cannot do what [train] asks for: ConfigError" in end.finish.reason
