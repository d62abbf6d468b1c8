import math

import numpy as np
import pytest
from conformance import StrategyConformance, grid_of, learned_norm, moving_bytes, sent

from tests.zfed.strategies.contributions import contribution
from zfed.errors import ConfigError, RunFailedError, UpdateError
from zfed.params import ParameterBuffer, TensorKind
from zfed.strategies import FedAvg, QFedAvg


class TestQFedAvg(StrategyConformance):
    """By the paper even one update is shortened: h has the curvature that its own weight adds."""

    test_one_worker_gives_that_worker = None
    test_a_mean_that_half_precision_cannot_hold_is_refused = None

    def make(self):
        return QFedAvg(q=0.7)

    def plain(self):
        return QFedAvg(q=0.0)

    def divisor(self, strategy, kind, updates, shares):
        losses = rates = 0.5 + np.arange(len(updates))  # as `sent` reports them
        weights = shares * (losses / 16) ** 0.7
        if kind is not TensorKind.AVERAGE:
            return weights.sum()
        squares = np.array([learned_norm(each) ** 2 for each in updates])
        return (weights * (0.7 * squares / (rates * losses) + 1)).sum()


class TestQFedAvgOfNoFairness(StrategyConformance):
    def make(self):
        return QFedAvg(q=0.0)


def algorithm_2(w, models, losses, *, q, rate):
    """arXiv 1905.10497, algorithm 2, steps 4 to 6, of the models that devices sent."""
    lipschitz = 1 / rate
    numerator, denominator = np.zeros_like(w), 0.0
    for model, loss in zip(models, losses, strict=True):
        difference = lipschitz * (w - model)
        numerator += loss**q * difference
        denominator += q * loss ** (q - 1) * np.linalg.norm(difference) ** 2 + lipschitz * loss**q
    return w - numerator / denominator


def version(strategy, model, deltas, losses, *, rate, shares=None):
    shares = shares or [1.0] * len(deltas)
    strategy.start(model)
    strategy.open_round(grid_of(strategy, shares))
    for delta, loss, share in zip(deltas, losses, shares, strict=True):
        metrics = {"loss_before": loss, "learning_rate": rate}
        told = contribution(share, norm=learned_norm(delta), metrics=metrics)
        strategy.accumulate(strategy.needs.weighed(told), [(0, delta.moving.data.data)])
    return strategy.finish(model)


def drawn(count, dtype=np.float64, seed=5):
    rng = np.random.default_rng(seed)
    return [ParameterBuffer.from_arrays({"w": rng.standard_normal(40).astype(dtype)}) for _ in range(count)]


@pytest.mark.parametrize("q", [0.0, 0.1, 1.0, 5.0])
def test_a_version_is_that_of_the_papers_algorithm(q):
    model, *deltas = drawn(5)
    losses, rate = [0.3, 2.5, 0.9, 1.4], 0.05
    new = version(QFedAvg(q=q, largest_loss=3.0), model, deltas, losses, rate=rate)
    models = [model["w"] + each["w"] for each in deltas]
    expected = algorithm_2(model["w"], models, losses, q=q, rate=rate)
    np.testing.assert_allclose(new["w"], expected, rtol=0, atol=1e-9)


def test_what_losses_are_measured_against_drops_out():
    model, *deltas = drawn(4)
    results = [
        version(QFedAvg(q=2.0, largest_loss=largest), model, deltas, [1.0, 2.0, 0.5], rate=0.1)["w"]
        for largest in (2.0, 100.0)
    ]
    np.testing.assert_allclose(*results, rtol=0, atol=1e-8)


def test_without_fairness_it_is_federated_averaging():
    model, *deltas = drawn(4, np.float32)
    results = []
    for strategy in (QFedAvg(q=0.0), FedAvg()):
        results.append(version(strategy, model, deltas, [1.0, 2.0, 0.5], rate=0.1, shares=[1.0, 5.0, 2.0]))
    assert moving_bytes(results[0]) == moving_bytes(results[1])


def test_who_is_worse_off_counts_more():
    strategy = QFedAvg(q=1.0)
    told = [
        strategy.needs.weighed(contribution(metrics={"loss_before": loss, "learning_rate": 0.1}))
        for loss in (0.5, 2.0)
    ]
    assert told[1].weight == 4 * told[0].weight


@pytest.mark.parametrize(
    ("metrics", "message"),
    [
        ({}, "no number 'loss_before' among its metrics, which qfedavg needs"),
        ({"loss_before": 17.0, "learning_rate": 0.1}, "loss_before is 17, qfedavg takes 0 to 16"),
        ({"loss_before": -1.0, "learning_rate": 0.1}, "loss_before is -1"),
        ({"loss_before": 1.0, "learning_rate": 0.0}, "learning_rate is 0, qfedavg needs one above 0"),
    ],
)
def test_an_update_that_says_no_usable_loss_or_rate_is_refused(metrics, message):
    with pytest.raises(UpdateError, match=message) as caught:
        QFedAvg().needs.weighed(contribution(metrics=metrics))
    assert caught.value.flaw.code == "strategy"


def test_a_worker_for_whom_nothing_is_left_to_learn_counts_nothing():
    model, *deltas = drawn(3)
    with pytest.raises(RunFailedError, match="no update of this round has a weight above 0"):
        version(QFedAvg(), model, deltas, [0.0, 1e-9], rate=0.1)
    alone, *_ = (version(QFedAvg(), model, deltas[:1], [1.0], rate=0.1),)
    both = version(QFedAvg(), model, deltas, [1.0, 0.0], rate=0.1)
    np.testing.assert_allclose(both["w"], alone["w"], rtol=0, atol=1e-12)


@pytest.mark.parametrize("options", [{"q": -0.1}, {"q": math.nan}, {"largest_loss": 0.0}])
def test_an_option_out_of_range_is_refused(options):
    with pytest.raises(ConfigError, match="expected a number"):
        QFedAvg(**options)


def test_every_update_says_what_is_needed():
    assert all(
        set(told.metrics) == {"loss_before", "learning_rate"} for told in sent(QFedAvg(), drawn(2), [1, 1])
    )
