import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zfed.errors import ConfigError, DataError, TaskError, UsageError
from zfed.partition import Partition
from zfed.task import Context, NodeKind, Setup, StoppedError
from zfed.tasks.softmax import Softmax, _loss_and_gradient


def setup(kind: NodeKind = "worker", **partition: str) -> Setup:
    return Setup(node="n", kind=kind, partition=Partition.parse(**partition))


@pytest.fixture
def worker(tiny_data: None) -> Softmax:
    task = Softmax()
    task.prepare(setup())
    return task


def test_no_framework_is_imported() -> None:
    program = (
        "import sys; from zfed.tasks import load_task; load_task('softmax', {});"
        "sys.exit(any(name in sys.modules for name in ('torch', 'torchvision', 'numba')))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_it_learns_the_stripes(worker: Softmax, tiny_data: None) -> None:
    evaluator = Softmax()
    assert evaluator.prepare(setup("evaluator")).examples == 20
    start = worker.initial_parameters(Context())
    result = worker.train(
        start, Context(round=1, settings={"epochs": 20, "learning_rate": 0.1, "momentum": 0.5})
    )
    assert (result.examples, result.steps) == (60, 40)
    metrics = evaluator.evaluate(result.parameters, Context()).metrics
    assert metrics["accuracy"] == 1
    assert metrics["predicted"] == {str(label): 2 for label in range(10)}
    untrained = evaluator.evaluate(start, Context()).metrics
    assert untrained["loss"] == pytest.approx(np.log(10), rel=1e-6)
    assert metrics["loss"] < untrained["loss"]


def test_the_loss_before_training_is_told_if_it_is_wanted_and_changes_nothing(worker: Softmax) -> None:
    start = worker.initial_parameters(Context())
    plain = worker.train(start, Context(round=1))
    asked = worker.train(start, Context(round=1, wants=("loss_before",)))
    assert asked.metrics["loss_before"] == pytest.approx(np.log(10), rel=1e-6)
    assert "loss_before" not in plain.metrics
    assert asked.parameters["weight"].tobytes() == plain.parameters["weight"].tobytes()


def test_the_same_seed_gives_the_same_bytes(worker: Softmax) -> None:
    def trained(seed: int) -> bytes:
        start = worker.initial_parameters(Context())
        return worker.train(start, Context(round=1, seed=seed)).parameters["weight"].tobytes()

    assert trained(1) == trained(1) != trained(2)


@settings(max_examples=20)
@given(seed=st.integers(0, 2**32 - 1), size=st.integers(1, 5))
def test_the_gradient_is_the_slope_of_the_loss(seed: int, size: int) -> None:
    random = np.random.default_rng(seed)
    parameters = {"weight": random.normal(size=(6, 10)), "bias": random.normal(size=10)}
    pixels, labels = random.random((size, 6)), random.integers(0, 10, size)
    direction = {name: random.normal(size=array.shape) for name, array in parameters.items()}

    def loss(step: float) -> float:
        moved = {name: array + step * direction[name] for name, array in parameters.items()}
        return _loss_and_gradient(moved, pixels, labels)[0]

    _, gradient = _loss_and_gradient(parameters, pixels, labels)
    slope = sum(float((gradient[name] * direction[name]).sum()) for name in gradient)
    assert (loss(1e-5) - loss(-1e-5)) / 2e-5 == pytest.approx(slope, rel=1e-4, abs=1e-6)


def test_weight_decay_shrinks_the_weights(worker: Softmax) -> None:
    plain, decayed = (
        worker.train(
            worker.initial_parameters(Context()), Context(round=1, settings={"weight_decay": decay})
        ).parameters["weight"]
        for decay in (0.0, 1.0)
    )
    assert np.linalg.norm(decayed) < np.linalg.norm(plain)


def test_the_learning_rate_of_the_round_is_told(worker: Softmax) -> None:
    context = Context(round=2, settings={"learning_rate": 0.1, "learning_rate_decay": 0.5})
    metrics = worker.train(worker.initial_parameters(Context()), context).metrics
    assert metrics["learning_rate"] == pytest.approx(0.05)


def test_an_update_that_the_owner_cut_short_says_how_many_steps_it_has(worker: Softmax) -> None:
    context = Context(settings={"batch_size": 10}, should_finish=lambda epochs: epochs >= 0.5)
    assert worker.train(worker.initial_parameters(Context()), context).steps == 3


def test_an_optimizer_it_does_not_have_is_refused(worker: Softmax) -> None:
    with pytest.raises(ConfigError, match="optimizer is 'adam'; known: sgd"):
        worker.train(worker.initial_parameters(Context()), Context(settings={"optimizer": "adam"}))


def test_parameters_received_are_not_changed(worker: Softmax) -> None:
    start = worker.initial_parameters(Context())
    worker.train(start, Context(round=1))
    assert not start["weight"].any()


def test_a_loss_that_is_not_finite_ends_training(worker: Softmax) -> None:
    broken = {"weight": np.full((784, 10), np.nan, np.float32), "bias": np.zeros(10, np.float32)}
    with pytest.raises(TaskError, match="round 1: loss is nan in batch 1 of 2"):
        worker.train(broken, Context(round=1))


@pytest.mark.parametrize("work", ["train", "evaluate"])
def test_work_stops_when_asked(worker: Softmax, work: str) -> None:
    with pytest.raises(StoppedError):
        getattr(worker, work)(worker.initial_parameters(Context()), Context(should_stop=lambda: True))


@pytest.mark.usefixtures("tiny_data")
def test_an_empty_part_is_refused_by_name() -> None:
    with pytest.raises(DataError, match=r"iid:1/61 .* of 60 images is empty"):
        Softmax().prepare(setup(spec="iid:1/61"))


def test_an_unknown_data_set_is_refused_at_once() -> None:
    with pytest.raises(UsageError, match="did you mean 'mnist'"):
        Softmax(dataset="mnits")


def test_a_worker_evaluates_on_what_it_held_out_and_trains_on_the_rest(tiny_data: None) -> None:
    task = Softmax()
    summary = task.prepare(Setup(node="w", kind="worker", partition=Partition(), holdout=0.2))
    assert (summary.examples, summary.held_out) == (48, 12)
    start = task.initial_parameters(Context())
    assert task.train(start, Context(round=1)).examples == 48
    assert task.evaluate(start, Context()).examples == 12


def test_steps_are_corrected_by_the_control_variates_that_come_beside_the_model(worker: Softmax) -> None:
    start, table = worker.initial_parameters(Context()), {"batches": 1, "learning_rate": 0.125}
    plain = worker.train(start, Context(round=1, settings=table))
    control = {name: np.full_like(array, 0.5) for name, array in start.items()}
    context = Context(round=1, settings=table, vectors={"control": control})
    corrected = worker.train(start, context)
    assert corrected.metrics["step_sum"] == 0.125
    for name, array in start.items():
        np.testing.assert_allclose(
            corrected.parameters[name], plain.parameters[name] - np.float32(0.0625), atol=1e-6
        )
        gradient = (array - plain.parameters[name]) / 0.125
        np.testing.assert_allclose(context.state[f"control.{name}"], gradient, atol=1e-5)
