import math

import numpy as np
import pytest
from conformance import StrategyConformance, bfloat16, chunks, moving_bytes, run_round
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.zfed.strategies.contributions import contribution
from zfed.errors import ConfigError
from zfed.params import ParameterBuffer, TensorKind
from zfed.strategies import FedAvg, choose_grid


class TestFedAvg(StrategyConformance):
    def make(self):
        return FedAvg()


class TestFedAvgWithSlowServer(StrategyConformance):
    def make(self):
        return FedAvg(server_learning_rate=0.3)

    def plain(self):
        return FedAvg()


class TestFedAvgInFloat32(StrategyConformance):
    """Promises all but bytes that are the same in any order of updates."""

    rounding = 2.0**-22
    test_bytes_do_not_depend_on_the_order_of_updates = None
    test_updates_of_weight_one_count_alike = None
    test_bytes_do_not_depend_on_whether_updates_are_held = None  # these are summed last

    def make(self):
        return FedAvg(accumulator="float32")


@st.composite
def weighted_updates(draw):
    count, size = draw(st.integers(1, 6)), draw(st.integers(1, 20))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    updates = [
        (rng.standard_normal(size) * 10.0 ** rng.uniform(-6, 0, size)).astype(np.float32)
        for _ in range(count)
    ]
    return updates, [float(rng.integers(1, 10**6)) for _ in range(count)]


@given(weighted_updates())
@settings(deadline=None)
def test_mean_lies_within_the_bound_of_the_true_one(drawn):
    """Design section 6: |mean - exact| <= K q / (2 W) + half an ulp of the result."""
    updates, weights = drawn
    model = ParameterBuffer.from_arrays({"w": np.zeros_like(updates[0])})
    strategy = FedAvg()
    strategy.start(model)
    grid = choose_grid(weights, max(float(np.abs(update).max()) for update in updates))
    buffers = [ParameterBuffer.from_arrays({"w": update}) for update in updates]
    mean = run_round(strategy, model, buffers, weights, grid)["w"]
    for i, value in enumerate(mean):
        # weights below 2**29 times float32 are exact in float64
        true = math.fsum(w * float(u[i]) for w, u in zip(weights, updates, strict=True)) / math.fsum(weights)
        ulp = float(np.spacing(np.abs(value)))
        assert abs(float(value) - true) <= len(updates) * grid / (2 * sum(weights)) + 0.5001 * ulp


@given(weighted_updates())
@settings(deadline=None)
def test_mean_in_float32_is_off_by_a_rounding_per_addition(drawn):
    """|mean - true| <= (K + 2) 2^-24 of the sum of weighted magnitudes, over W; docs/adr/0013."""
    updates, weights = drawn
    model = ParameterBuffer.from_arrays({"w": np.zeros_like(updates[0])})
    strategy = FedAvg(accumulator="float32")
    strategy.start(model)
    buffers = [ParameterBuffer.from_arrays({"w": update}) for update in updates]
    mean = run_round(strategy, model, buffers, weights, 1.0)["w"]
    for i, value in enumerate(mean):
        terms = [w * float(u[i]) for w, u in zip(weights, updates, strict=True)]
        allowed = (len(terms) + 2) * 2.0**-24 * math.fsum(map(abs, terms)) / math.fsum(weights)
        assert abs(float(value) - math.fsum(terms) / math.fsum(weights)) <= allowed


def test_a_sum_in_float32_takes_a_model_less():
    layout = ParameterBuffer.from_arrays({"w": np.zeros(1000, np.float32), "d": np.zeros(10)}).layout
    assert FedAvg().memory(layout, 1) - FedAvg(accumulator="float32").memory(layout, 1) == 4000


def test_an_accumulator_that_is_none_is_refused():
    with pytest.raises(ConfigError, match=r'accumulator "float" is unknown.*float32'):
        FedAvg(accumulator="float")


def test_learning_rate_scales_learned_tensors_only():
    model = ParameterBuffer.from_arrays(
        {"w": np.zeros(2, np.float32), "mean": np.zeros(2, np.float32)}, kinds={"mean": TensorKind.RUNNING}
    )
    update = ParameterBuffer.from_arrays(
        {"w": np.ones(2, np.float32), "mean": np.ones(2, np.float32)}, kinds={"mean": TensorKind.RUNNING}
    )
    strategy = FedAvg(server_learning_rate=0.25)
    strategy.start(model)
    new = run_round(strategy, model, [update], [7.0])
    np.testing.assert_array_equal(new["w"], [0.25, 0.25])
    np.testing.assert_array_equal(new["mean"], [1, 1])


def test_master_holds_what_half_precision_cannot():
    model = ParameterBuffer.from_arrays(
        {"h": np.ones(1, np.float16), "b": bfloat16([1.0])}, dtypes={"b": "BF16"}
    )
    strategy = FedAvg()
    strategy.start(model)
    step = ParameterBuffer.from_arrays(
        {"h": np.array([2.0**-14], np.float16), "b": bfloat16([2.0**-14])}, dtypes={"b": "BF16"}
    )
    new = run_round(strategy, model, [step], [1.0])
    assert moving_bytes(new) == moving_bytes(model)
    for name in ("master.F16.average", "master.BF16.average"):
        assert strategy.state[name].dtype == np.float32
        assert strategy.state[name][0] == 1 + 2.0**-14


def test_a_model_without_half_precision_has_no_state():
    strategy = FedAvg()
    strategy.start(ParameterBuffer.from_arrays({"w": np.zeros(2, np.float32)}))
    assert strategy.state == {}


def test_a_model_of_no_tensors_is_averaged():
    model = ParameterBuffer.from_arrays({})
    strategy = FedAvg()
    strategy.start(model)
    assert run_round(strategy, model, [model, model], [1.0, 2.0]) == model


def test_accumulating_before_a_round_is_open_is_a_bug():
    model = ParameterBuffer.from_arrays({"w": np.zeros(2, np.float32)})
    strategy = FedAvg()
    strategy.start(model)
    with pytest.raises(ValueError, match="no round is open"):
        strategy.accumulate(contribution(), chunks(model))
    with pytest.raises(ValueError, match="no round is open"):
        strategy.finish(model)


@pytest.mark.parametrize("rate", [0.0, -1.0, math.nan, math.inf])
def test_a_learning_rate_that_is_none_is_refused(rate):
    with pytest.raises(ConfigError, match="server learning rate"):
        FedAvg(server_learning_rate=rate)


def test_what_staleness_takes_makes_the_step_smaller_and_leaves_the_others_their_shares():
    model = ParameterBuffer.from_arrays({"w": np.zeros(2, np.float32)})
    strategy = FedAvg()
    strategy.start(model)
    strategy.open_round(choose_grid([3.0, 1.0], 8.0))
    for delta, share, discount in [(1.0, 3.0, 1.0), (8.0, 1.0, 0.5)]:
        update = contribution(share * discount, share=share, discount=discount)
        strategy.accumulate(update, chunks(ParameterBuffer.from_arrays({"w": np.full(2, delta, np.float32)})))
    assert strategy.finish(model)["w"].tolist() == [(3 * 1.0 + 0.5 * 8.0) / 4] * 2


def test_one_stale_update_alone_is_a_smaller_step():
    model = ParameterBuffer.from_arrays({"w": np.ones(1, np.float32)})
    strategy = FedAvg()
    strategy.start(model)
    strategy.open_round(choose_grid([1.0], 8.0))
    update = contribution(5.0, share=10.0, discount=0.5)
    strategy.accumulate(update, chunks(ParameterBuffer.from_arrays({"w": np.full(1, 4, np.float32)})))
    assert strategy.finish(model)["w"].tolist() == [1 + 0.5 * 4]
