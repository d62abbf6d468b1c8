import numpy as np
import pytest
from conformance import StrategyConformance, chunks, make_model, make_update, moving_bytes, run_round

from zfed.errors import CheckpointError, RunFailedError
from zfed.strategies import FedAvg, GuardedStrategy, Needs


class TestGuarded(StrategyConformance):
    """A call that is a bug, as to finish what came in part, ends the run by the strategy's name."""

    test_an_update_in_part_cannot_become_a_model = None

    def make(self):
        return GuardedStrategy(FedAvg(), "own.py:Mine")


class Broken(FedAvg):
    """What a user's first try may do."""

    def __init__(self, harm):
        super().__init__()
        self.harm = harm

    def finish_into(self, new, model, done):
        self.harm(new, model)


def failure(harm):
    model = make_model()
    strategy = GuardedStrategy(Broken(harm), "own.py:Mine")
    strategy.start(model)
    before = model.data.tobytes()
    with pytest.raises(RunFailedError) as caught:
        run_round(strategy, model, [make_update(model, 1)], [1.0])
    assert model.data.tobytes() == before
    return str(caught.value)


def test_an_array_of_another_shape_ends_the_run_by_name():
    message = failure(lambda new, model: np.copyto(new["f32"], np.zeros((3, 3))))
    assert "strategy own.py:Mine: finish_into failed: ValueError: could not broadcast" in message


def test_a_tensor_that_is_not_there_ends_the_run_by_name():
    assert "KeyError: 'w'" in failure(lambda new, model: new["w"])


def test_the_model_that_updates_started_from_cannot_be_written():
    assert "read-only" in failure(lambda new, model: model["f32"].fill(0))


def test_what_was_not_written_is_no_model():
    message = failure(lambda new, model: None)
    assert "tensor 'f64' of the new model holds a number that is not finite, or was not written" in message


def test_a_number_that_is_not_finite_is_no_model():
    def harm(new, model):
        new.moving.data[:] = model.moving.data
        new["f32"][3, 1] = np.inf

    assert "tensor 'f32' of the new model" in failure(harm)


def test_tensors_that_do_not_move_stay_whatever_is_written_to_them():
    def harm(new, model):
        new.data[:] = model.data
        new["frozen"][:] = np.nan

    model = make_model()
    strategy = GuardedStrategy(Broken(harm), "own.py:Mine")
    strategy.start(model)
    assert run_round(strategy, model, [make_update(model, 1)], [1.0]) == model


def test_what_is_said_of_its_needs_names_it_unless_it_names_itself():
    class Own(FedAvg):
        needs = Needs(strategy="own rule", steps=True)

    assert GuardedStrategy(FedAvg(), "own.py:Mine").needs == Needs(strategy="own.py:Mine")
    assert GuardedStrategy(Own(), "own.py:Own").needs is Own.needs


def test_errors_of_zfed_pass_as_they_are():
    strategy = GuardedStrategy(FedAvg(), "own.py:Mine")
    strategy.start(make_model())
    with pytest.raises(CheckpointError, match="belongs to another"):
        strategy.restore({**strategy.state, "other": np.zeros(1)})


def test_a_guarded_strategy_gives_the_bytes_that_it_gives_alone():
    model, results = make_model(), []
    for strategy in (FedAvg(), GuardedStrategy(FedAvg(), "own.py:Mine")):
        strategy.start(model)
        new = run_round(strategy, model, [make_update(model, 1), make_update(model, 2)], [1.0, 3.0])
        results.append((moving_bytes(new), strategy.largest_delta))
    assert results[0] == results[1]
    assert chunks(new)
