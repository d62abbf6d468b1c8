from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from zfed.errors import ConfigError, LayoutError, TaskError
from zfed.params import ParameterBuffer, TensorKind
from zfed.partition import Partition
from zfed.task import Context, Setup, StoppedError
from zfed.torch import TorchTask
from zfed.torch.torch_task import choose_device

INPUTS = torch.linspace(-1, 1, 60).reshape(30, 2)
TARGETS = INPUTS @ torch.tensor([[1.0], [-2.0]]) + 0.5


class Line(TorchTask):
    """Fits 30 points on a plane."""

    def module(self) -> nn.Module:
        return nn.Linear(2, 1)

    def data(self, setup: Setup) -> tuple[Tensor, Tensor]:
        return INPUTS, TARGETS

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return nn.functional.mse_loss(outputs, targets)


class Normalised(Line):
    """Has all kinds of tensors: learned, frozen, running statistics, counters; and dropout."""

    def module(self) -> nn.Module:
        frozen = nn.Linear(2, 8).requires_grad_(False)
        return nn.Sequential(frozen, nn.BatchNorm1d(8), nn.Dropout(0.2), nn.Linear(8, 1))


def prepared(task: TorchTask, partition: Partition | None = None) -> TorchTask:
    task.prepare(Setup(node="w", kind="worker", partition=partition or Partition()))
    return task


def trained(task: TorchTask, seed: int = 5, **settings: Any) -> Any:
    settings = {"batch_size": 8, "learning_rate": 0.1, **settings}
    return task.train(
        task.initial_parameters(Context(seed=1)), Context(round=1, seed=seed, settings=settings)
    )


def bytes_of(parameters: Mapping[str, np.ndarray]) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in parameters.items()}


def test_training_brings_the_loss_down() -> None:
    task = prepared(Line())
    before = task.evaluate(task.initial_parameters(Context(seed=1)), Context()).metrics["loss"]
    result = trained(task, epochs=40)
    after = task.evaluate(result.parameters, Context())
    assert after.metrics["loss"] < 0.01 < before
    assert (result.examples, result.steps, after.examples) == (30, 160, 30)


def test_the_first_model_is_decided_by_the_seed_alone() -> None:
    first, again, other = (bytes_of(Line().initial_parameters(Context(seed=seed))) for seed in (3, 3, 4))
    assert first == again != other


@pytest.mark.parametrize("optimizer", [{"momentum": 0.9}, {"optimizer": "adam"}, {"optimizer": "adamw"}])
def test_the_same_seed_gives_the_same_bytes_whatever_was_done_before(optimizer: dict[str, Any]) -> None:
    used = prepared(Normalised())
    first = trained(used, **optimizer)
    trained(used, seed=6)
    torch.rand(7)
    assert bytes_of(trained(used, **optimizer).parameters) == bytes_of(first.parameters)
    assert bytes_of(trained(prepared(Normalised()), **optimizer).parameters) == bytes_of(first.parameters)
    assert bytes_of(trained(used, seed=6, **optimizer).parameters) != bytes_of(first.parameters)


def test_the_loss_before_training_is_told_if_it_is_wanted_and_changes_nothing() -> None:
    task = prepared(Normalised())
    start = task.initial_parameters(Context(seed=3))
    plain = task.train(start, Context(round=1, seed=5))
    asked = task.train(start, Context(round=1, seed=5, wants=("loss_before",)))
    assert asked.metrics["loss_before"] == pytest.approx(task.evaluate(start, Context()).metrics["loss"])
    assert "loss_before" not in plain.metrics
    assert bytes_of(asked.parameters) == bytes_of(plain.parameters)


def test_training_leaves_the_generators_of_a_notebook_alone() -> None:
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    trained(prepared(Normalised()))
    assert torch.equal(torch.rand(1), expected)


def test_parameters_received_are_not_changed_and_may_be_read_only() -> None:
    task = prepared(Line())
    received = task.initial_parameters(Context(seed=1))
    kept = bytes_of(received)
    task.train(received.read_only(), Context(round=1))
    assert bytes_of(received) == kept


def test_a_result_is_not_changed_by_later_training() -> None:
    task = prepared(Line())
    result = trained(task)
    kept = bytes_of(result.parameters)
    trained(task, seed=6)
    assert bytes_of(result.parameters) == kept


def test_plain_arrays_will_do_for_parameters() -> None:
    task = prepared(Line())
    plain = {"weight": np.array([[1, -2]], np.float32), "bias": np.array([0.5], np.float32)}
    assert task.evaluate(plain, Context()).metrics["loss"] == pytest.approx(0, abs=1e-12)


def test_parameters_of_another_model_are_refused_by_tensor() -> None:
    with pytest.raises(LayoutError, match="bias"):
        prepared(Line()).evaluate({"weight": np.zeros((1, 2), np.float32)}, Context())


def test_batch_norm_and_frozen_tensors_have_their_kinds_and_survive_training() -> None:
    result = trained(prepared(Normalised()), batches=4)
    assert isinstance(result.parameters, ParameterBuffer)
    kinds = {spec.name: spec.kind for spec in result.parameters.layout.tensors}
    assert kinds["0.weight"] is TensorKind.FROZEN
    assert kinds["1.running_mean"] is TensorKind.RUNNING
    assert kinds["1.num_batches_tracked"] is TensorKind.COUNTER
    assert result.parameters["1.num_batches_tracked"] == 4
    initial = Normalised().initial_parameters(Context(seed=1))
    assert np.array_equal(result.parameters["0.weight"], initial["0.weight"])
    assert not np.array_equal(result.parameters["1.running_mean"], initial["1.running_mean"])


def test_local_patterns_keep_tensors_on_the_node() -> None:
    layout = Normalised(local="1.*, 3.bias").initial_parameters(Context()).layout
    local = {spec.name for spec in layout.tensors if spec.kind is TensorKind.LOCAL}
    assert local == {
        "1.weight",
        "1.bias",
        "1.running_mean",
        "1.running_var",
        "1.num_batches_tracked",
        "3.bias",
    }


def test_a_task_with_its_own_init_need_not_call_the_base() -> None:
    class Own(Line):
        def __init__(self, width: int) -> None:
            self.width = width

    assert trained(prepared(Own(3))).steps == 4


def test_the_learning_rate_follows_the_round() -> None:
    task = prepared(Line())
    start = task.initial_parameters(Context(seed=1))
    settings = {"learning_rate": 1e-3, "learning_rate_decay": 0.5, "batches": 1}
    moves = [
        np.abs(
            task.train(start, Context(round=round, seed=2, settings=settings)).parameters["bias"]
            - start["bias"]
        )
        for round in (1, 2)
    ]
    assert moves[1] == pytest.approx(moves[0] / 2, rel=1e-3)


def test_the_learning_rate_of_the_round_is_told() -> None:
    task = prepared(Line())
    context = Context(round=3, settings={"learning_rate": 0.1, "learning_rate_decay": 0.5})
    result = task.train(task.initial_parameters(Context(seed=1)), context)
    assert result.metrics["learning_rate"] == pytest.approx(0.025)


def test_the_train_table_may_name_another_loss() -> None:
    named, own = trained(prepared(Line()), loss="l1"), trained(prepared(Line()))
    assert bytes_of(trained(prepared(Line()), loss="mse").parameters) == bytes_of(own.parameters)
    assert bytes_of(named.parameters) != bytes_of(own.parameters)
    with pytest.raises(ConfigError, match='did you mean "mse"'):
        trained(prepared(Line()), loss="msee")


def test_fedprox_holds_a_model_near_the_one_it_began_with() -> None:
    start = Line().initial_parameters(Context(seed=1))
    moves = [
        np.linalg.norm(
            trained(prepared(Line()), epochs=20, proximal=mu).parameters["weight"] - start["weight"]
        )
        for mu in (0.0, 1.0, 5.0)
    ]
    assert moves[0] > moves[1] > 2 * moves[2]


def test_an_update_that_the_owner_cut_short_says_how_many_steps_it_has() -> None:
    task = prepared(Line())
    context = Context(round=1, settings={"batch_size": 10}, should_finish=lambda epochs: epochs >= 0.5)
    assert task.train(task.initial_parameters(Context(seed=1)), context).steps == 2


def test_weight_decay_reaches_the_optimizer() -> None:
    plain, decayed = (trained(prepared(Line()), weight_decay=decay) for decay in (0.0, 1.0))
    assert np.linalg.norm(decayed.parameters["weight"]) < np.linalg.norm(plain.parameters["weight"])


def test_the_part_of_a_worker_is_applied_but_an_evaluator_sees_everything() -> None:
    half = Partition.parse(spec="iid:1/2")
    assert Line().prepare(Setup(node="w", kind="worker", partition=half)).examples == 15
    assert Line().prepare(Setup(node="e", kind="evaluator", partition=half)).examples == 30


def test_every_batch_is_reported() -> None:
    reports: list[tuple[int, int, dict[str, float]]] = []
    task = prepared(Line())
    context = Context(
        round=1,
        settings={"batches": 3},
        report=lambda done, total, **metrics: reports.append((done, total, metrics)),
    )
    task.train(task.initial_parameters(Context()), context)
    assert [(done, total) for done, total, _ in reports] == [(1, 3), (2, 3), (3, 3)]
    assert all(metrics["loss"] > 0 for _, _, metrics in reports)


@pytest.mark.parametrize("work", ["train", "evaluate"])
def test_work_stops_between_batches_when_asked(work: str) -> None:
    task = prepared(Line())
    answers = iter([False, True])
    task.evaluation_batch_size = 10  # type: ignore[misc]  # three batches
    context = Context(round=1, settings={"batches": 3}, should_stop=lambda: next(answers))
    with pytest.raises(StoppedError):
        getattr(task, work)(task.initial_parameters(Context()), context)
    assert next(answers, "all asked") == "all asked"


def test_a_loss_that_is_not_finite_ends_training_with_its_batch() -> None:
    with pytest.raises(TaskError, match=r"round 1: loss is (inf|nan) in batch \d+ of 100; a smaller"):
        trained(prepared(Line()), batches=100, learning_rate=1e9)


def test_an_unknown_key_in_the_train_table_is_refused() -> None:
    with pytest.raises(ConfigError, match='did you mean "momentum"'):
        trained(prepared(Line()), momentun=0.9)


def test_a_data_set_of_one_batch_is_evaluated_as_several_are() -> None:
    task = prepared(Line())
    parameters = task.initial_parameters(Context(seed=1))
    whole = task.evaluate(parameters, Context()).metrics["loss"]
    task.evaluation_batch_size = 7  # type: ignore[misc]  # the last batch is smaller
    assert task.evaluate(parameters, Context()).metrics["loss"] == pytest.approx(whole)


@pytest.mark.parametrize("name", ["warp", "cuda:99"])
def test_a_device_that_cannot_be_used_is_refused_by_name(name: str) -> None:
    with pytest.raises(ConfigError, match=name):
        choose_device(name)


def test_auto_chooses_a_device_that_is_there() -> None:
    assert torch.zeros(1, device=choose_device("auto")).item() == 0


def test_a_worker_evaluates_on_what_it_held_out_and_trains_on_the_rest() -> None:
    task = Line()
    summary = task.prepare(Setup(node="w", kind="worker", partition=Partition(), holdout=0.2))
    assert (summary.examples, summary.held_out) == (24, 6)
    assert not set(task.examples.indices) & set(task.tested.indices)
    start = task.initial_parameters(Context(seed=1))
    assert trained(task).examples == 24
    assert task.evaluate(start, Context()).examples == 6


def test_a_worker_that_holds_nothing_out_evaluates_on_its_training_data() -> None:
    task = prepared(Line())
    assert task.evaluate(task.initial_parameters(Context(seed=1)), Context()).examples == 30


def test_steps_are_corrected_by_the_control_variates_that_come_beside_the_model() -> None:
    """c_i - c + (x - y) / (K eta), as numpy makes it of what one uncorrected and one corrected round show."""
    task = prepared(Line())
    model = task.initial_parameters(Context(seed=1))
    table = {"batches": 1, "batch_size": 30, "learning_rate": 0.125}
    plain = task.train(model, Context(round=1, settings=table))
    common = {"weight": np.float32([[1, -1]]), "bias": np.float32([0.5])}
    own = {"control.weight": np.float32([[0.25, 0]])}
    context = Context(round=1, settings=table, vectors={"control": common}, state=own)
    corrected = task.train(model, context)
    assert "step_sum" not in plain.metrics
    assert corrected.metrics["step_sum"] == 0.125
    for name, correction in (("weight", [[0.75, -1]]), ("bias", [0.5])):
        moved = corrected.parameters[name] - plain.parameters[name]
        np.testing.assert_allclose(moved, -0.125 * np.float32(correction), atol=1e-6)
        gradient = (model[name] - plain.parameters[name]) / 0.125
        np.testing.assert_allclose(context.state[f"control.{name}"], gradient, atol=1e-5)


def test_an_evaluator_trains_on_its_root_examples_and_evaluates_on_the_others() -> None:
    task = Line()
    summary = task.prepare(Setup(node="e", kind="evaluator", partition=Partition(), root_examples=7))
    assert (summary.examples, summary.held_out) == (7, 23)
    assert trained(task, epochs=1).examples == 7
    assert task.evaluate(task.initial_parameters(Context(seed=1)), Context()).examples == 23
