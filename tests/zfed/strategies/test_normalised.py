import numpy as np
import pytest
from conformance import StrategyConformance, grid_of, moving_bytes, run_round

from tests.zfed.strategies.contributions import contribution
from zfed.errors import UpdateError
from zfed.params import ParameterBuffer, TensorKind
from zfed.strategies import FedAvg, FedNova


class TestFedNova(StrategyConformance):
    def make(self):
        return FedNova()

    def divisor(self, strategy, kind, updates, shares):
        steps = np.arange(1, len(updates) + 1)
        if kind is not TensorKind.AVERAGE:
            return (shares / steps).sum()
        return np.sum(shares) ** 2 / np.dot(shares, steps)


def fednova(x, deltas, examples, steps):
    """arXiv 2007.07481, equations 6 and 7, of local SGD: a_i is a vector of tau_i ones."""
    p = np.array(examples) / np.sum(examples)
    d = [-delta / tau for delta, tau in zip(deltas, steps, strict=True)]  # G_i a_i / |a_i|_1, without eta
    tau_eff = p @ steps
    return x - tau_eff * sum(p_i * d_i for p_i, d_i in zip(p, d, strict=True))


def rounds(strategy, model, deltas, examples, steps):
    strategy.start(model)
    strategy.open_round(grid_of(strategy, examples))
    for number, (delta, share, taken) in enumerate(zip(deltas, examples, steps, strict=True)):
        told = strategy.needs.weighed(contribution(share, f"w{number}", steps=taken))
        strategy.accumulate(told, [(0, delta.moving.data.data)])
    return strategy.finish(model)


def test_a_version_is_that_of_the_papers_equations():
    rng = np.random.default_rng(3)
    model = ParameterBuffer.from_arrays({"w": rng.standard_normal(50)})
    deltas = [ParameterBuffer.from_arrays({"w": rng.standard_normal(50)}) for _ in range(4)]
    examples, steps = [100.0, 7.0, 900.0, 33.0], [10, 1, 90, 4]
    new = rounds(FedNova(), model, deltas, examples, steps)
    expected = fednova(model["w"], [each["w"] for each in deltas], examples, steps)
    np.testing.assert_allclose(new["w"], expected, rtol=0, atol=1e-11)


def test_with_as_many_steps_for_all_it_is_federated_averaging():
    rng = np.random.default_rng(4)
    model = ParameterBuffer.from_arrays({"w": rng.standard_normal(50).astype(np.float32)})
    deltas = [
        ParameterBuffer.from_arrays({"w": rng.standard_normal(50).astype(np.float32)}) for _ in range(3)
    ]
    results = [
        rounds(strategy, model, deltas, [1.0, 2.0, 5.0], [8] * 3)  # 1/8 is exact
        for strategy in (FedNova(), FedAvg())
    ]
    assert moving_bytes(results[0]) == moving_bytes(results[1])


def test_what_pulls_further_by_more_steps_alone_does_not_move_the_model_further():
    """Two workers whose steps are +1 and -1: however many the first takes, the model stays where it is."""
    model = ParameterBuffer.from_arrays({"w": np.zeros(1)})
    deltas = [ParameterBuffer.from_arrays({"w": np.array([each])}) for each in (30.0, -1.0)]
    assert rounds(FedNova(), model, deltas, [1.0, 1.0], [30, 1])["w"][0] == pytest.approx(0, abs=1e-11)
    assert rounds(FedAvg(), model, deltas, [1.0, 1.0], [30, 1])["w"][0] == 14.5


def test_an_update_of_unknown_steps_cannot_be_used():
    with pytest.raises(UpdateError, match="fednova needs their number"):
        FedNova().needs.weighed(contribution(steps=0))


def test_a_round_begins_without_the_steps_of_the_one_before():
    model = ParameterBuffer.from_arrays({"w": np.zeros(1)})
    step = ParameterBuffer.from_arrays({"w": np.ones(1)})
    strategy = FedNova()
    strategy.start(model)
    assert [run_round(strategy, model, [step] * count, [1.0] * count)["w"][0] for count in (2, 1)] == [
        pytest.approx(1.125, abs=1e-9),  # (1 + 2) / 2 steps, of (1 + 1/2) / 2 each
        pytest.approx(1.0, abs=1e-9),
    ]
