import math

import numpy as np
import pytest
from conformance import StrategyConformance, run_round

from zfed.errors import ConfigError, RunFailedError
from zfed.params import ParameterBuffer, TensorKind
from zfed.strategies import FedAdagrad, FedAdam, FedAvgM, FedYogi


class AdaptiveConformance(StrategyConformance):
    """By the paper no step is the mean update, and each is far too short to leave half precision."""

    test_one_worker_gives_that_worker = None
    test_a_mean_that_half_precision_cannot_hold_is_refused = None


class TestFedAdagrad(AdaptiveConformance):
    def make(self):
        return FedAdagrad()


class TestFedAdam(AdaptiveConformance):
    def make(self):
        return FedAdam()


class TestFedYogi(AdaptiveConformance):
    def make(self):
        return FedYogi()


def algorithm_2(x, deltas, rule, *, eta, beta1, beta2, tau):
    """arXiv 2003.00295, algorithm 2, lines 10 to 15, line by line; yields x_t."""
    m, v = np.zeros_like(x), np.full_like(x, tau**2)  # v_{-1} >= tau^2
    for delta in deltas:
        m = beta1 * m + (1 - beta1) * delta
        if rule == "adagrad":
            v = v + delta**2
        elif rule == "yogi":
            v = v - (1 - beta2) * delta**2 * np.sign(v - delta**2)
        else:
            v = beta2 * v + (1 - beta2) * delta**2
        x = x + eta * m / (np.sqrt(v) + tau)
        yield x


RULES = {"adagrad": FedAdagrad, "adam": FedAdam, "yogi": FedYogi}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("rule", RULES)
def test_fifty_steps_are_those_of_the_paper(rule, dtype):
    """Three workers of unlike weights; their updates are noisy gradients of a bowl, seen from the model."""
    rng = np.random.default_rng(7)
    weights, goal = np.array([10.0, 250.0, 40.0]), rng.standard_normal(200)
    said = {"eta": 0.03, "beta1": 0.8, "beta2": 0.95, "tau": 1e-2}
    options = {"server_learning_rate": 0.03, "server_momentum": 0.8, "tau": 1e-2}
    strategy = RULES[rule](**options, **({} if rule == "adagrad" else {"beta2": 0.95}))
    model = ParameterBuffer.from_arrays({"w": rng.standard_normal(200).astype(dtype)})
    strategy.start(model)
    deltas = []
    paper = algorithm_2(model["w"].astype(np.float64), iter(deltas), rule, **said)
    steps = []
    for _ in range(50):
        sent = [
            0.1 * (goal - model["w"]) + 0.05 * rng.standard_normal(200) * 10.0 ** rng.uniform(-3, 0, 200)
            for _ in weights
        ]
        updates = [ParameterBuffer.from_arrays({"w": each.astype(dtype)}) for each in sent]
        deltas.append(np.average([each["w"].astype(np.float64) for each in updates], axis=0, weights=weights))
        steps.append(next(paper))
        model = run_round(strategy, model, updates, list(weights))
        np.testing.assert_allclose(model["w"], steps[-1], rtol=0, atol=1e-6)
    assert np.abs(steps[-1] - steps[0]).max() > 0.2, "it went somewhere"


@pytest.mark.parametrize("make", RULES.values())
def test_statistics_and_counters_are_not_optimised(make):
    kinds = {"mean": TensorKind.RUNNING}
    model = ParameterBuffer.from_arrays({"mean": np.zeros(1, np.float32), "n": np.array(3)}, kinds=kinds)
    step = ParameterBuffer.from_arrays({"mean": np.ones(1, np.float32), "n": np.array(5)}, kinds=kinds)
    strategy = make()
    strategy.start(model)
    new = run_round(strategy, model, [step], [1.0])
    assert (new["mean"][0], new["n"]) == (1.0, 5)
    assert strategy.state == {}


@pytest.mark.parametrize("make", RULES.values())
def test_an_update_whose_square_nothing_can_hold_ends_the_run_and_leaves_the_state(make):
    """The model would be finite: its step is the shorter, the larger the square."""
    model = ParameterBuffer.from_arrays({"w": np.zeros(3, np.float32)})
    step = ParameterBuffer.from_arrays({"w": np.float32([0, 1e25, 0])})
    strategy = make()
    strategy.start(model)
    before = strategy.state
    with pytest.raises(RunFailedError, match="tensor 'w': the new model would hold a number that is not fin"):
        run_round(strategy, model, [step], [1.0], grid=2.0**40)
    assert all(np.array_equal(strategy.state[name], before[name]) for name in before)


@pytest.mark.parametrize("make", RULES.values())
@pytest.mark.parametrize("options", [{"tau": 0.0}, {"tau": math.nan}, {"server_momentum": 1.0}])
def test_an_option_out_of_range_is_refused(make, options):
    with pytest.raises(ConfigError, match="expected a number"):
        make(**options)


@pytest.mark.parametrize("make", [FedAdam, FedYogi])
def test_a_decay_out_of_range_is_refused(make):
    with pytest.raises(ConfigError, match="option beta2 is 1"):
        make(beta2=1.0)


def test_memory_is_a_model_for_each_moment():
    layout = ParameterBuffer.from_arrays({"w": np.zeros(1000, np.float32)}).layout
    assert FedAdam().memory(layout, 1) - FedAvgM().memory(layout, 1) == 2 * 4000  # while one replaces it
