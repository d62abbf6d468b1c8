import numpy as np
import pytest
from conformance import StrategyConformance, as_numbers, make_model, make_update, run_round

from zfed.errors import RunFailedError
from zfed.params import ParameterBuffer, TensorKind
from zfed.strategies import ArrayStrategy


class Mean(ArrayStrategy):
    """The mean by shares, as a user would write it."""

    def combine(self, updates):
        whole = sum(update.share for update, _ in updates)
        return {
            name: sum(update.share / whole * delta[name].astype(np.float64) for update, delta in updates)
            for name in updates[0][1]
        }


class TestArrayStrategy(StrategyConformance):
    """Counters become the lower median, as of all strategies that keep every update.

    A sum in the order of names has other bits if others send the same, and takes memory of its own.
    """

    test_updates_of_weight_one_count_alike = None
    test_memory_is_what_was_declared = None
    test_counters_become_the_maximum_over_the_updates = None

    def make(self):
        return Mean()


class First(ArrayStrategy):
    """One that takes no memory of its own."""

    def combine(self, updates):
        return updates[0][1]


def test_memory_is_what_was_declared_but_for_what_combine_takes():
    suite = StrategyConformance()
    suite.make = First
    suite.test_memory_is_what_was_declared(fewest=2)


class Returning(ArrayStrategy):
    def __init__(self, change):
        super().__init__()
        self.change = change

    def combine(self, updates):
        (_, delta), *_ = updates
        return self.change({name: np.array(array) for name, array in delta.items()})


def version(change):
    model = make_model()
    strategy = Returning(change)
    strategy.start(model)
    return model, run_round(strategy, model, [make_update(model, 1), make_update(model, 2)], [1.0, 1.0])


def test_each_tensor_of_floats_comes_and_goes_by_name_in_its_shape_and_wide():
    seen = {}
    model, new = version(lambda delta: seen.update(delta) or delta)
    moving = model.layout.moving.tensors
    assert list(seen) == [each.name for each in moving if each.kind is not TensorKind.COUNTER]
    assert {name: array.shape for name, array in seen.items()} == {
        each.name: each.shape for each in moving if each.kind is not TensorKind.COUNTER
    }
    assert seen["bf16"].dtype == seen["f16"].dtype == seen["f32"].dtype == np.float32
    assert seen["f64"].dtype == np.float64
    for name in ("f64", "f32", "f16", "bf16", "running_mean"):
        step = as_numbers(new, name).astype(float) - as_numbers(model, name)
        np.testing.assert_allclose(step, seen[name], atol=2e-2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda delta: {**delta, "f32": delta["f32"].T}, r"'f32' of shape \(2, 37\), expected \(37, 2\)"),
        (lambda delta: {**delta, "f32": 0.0}, r"'f32' of shape \(\), expected"),
        (lambda delta: {n: a for n, a in delta.items() if n != "f16"}, "no tensor 'f16'"),
        (lambda delta: {**delta, "batches": np.array(1)}, "'batches', which is none of the model's floats"),
        (lambda delta: None, "NoneType, expected a mapping"),
    ],
)
def test_what_does_not_fit_the_model_is_refused_by_name(change, message):
    with pytest.raises(RunFailedError, match=f"combine returned .*{message}"):
        version(change)


def test_a_number_that_is_not_finite_is_refused():
    with pytest.raises(RunFailedError, match="tensor 'f32': the mean update holds a number that is not fin"):
        version(lambda delta: {**delta, "f32": delta["f32"] * np.inf})


def test_updates_come_in_the_order_of_names_and_cannot_be_written():
    class Looking(ArrayStrategy):
        def combine(self, updates):
            self.seen = [(update.node, float(delta["w"][0])) for update, delta in updates]
            with pytest.raises(ValueError, match="read-only"):
                updates[0][1]["w"][0] = 0
            return updates[0][1]

    model = ParameterBuffer.from_arrays({"w": np.zeros(2, np.float32)})
    updates = [ParameterBuffer.from_arrays({"w": np.full(2, number, np.float32)}) for number in range(3)]
    strategy = Looking()
    strategy.start(model)
    run_round(strategy, model, updates, [1.0, 0.0, 1.0], order=[2, 1, 0])
    assert strategy.seen == [("w0", 0.0), ("w2", 2.0)]
