"""What the coordinator asks of training, what owners allow, and who does something else."""

from dataclasses import replace

import numpy as np

from tests.zfed.simulation.simulated import configured, run_once
from zfed.config.train import TrainSettings
from zfed.data.batches import batches_of_round
from zfed.facts import RoundCommitted, UpdateAccepted, UpdateRefused, WorkerBenched, WorkLimited
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


def run_of(tasks, *, train, limits=None, **run):
    simulation = Simulation()
    for name, task in tasks.items():
        simulation.add(name, task, limits=(limits or {}).get(name))
    config = replace(configured(wait_for=str(len(tasks)), **run), train=train)
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
