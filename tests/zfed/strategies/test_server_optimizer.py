import math

import numpy as np
import pytest
from conformance import StrategyConformance, make_model, make_update, moving_bytes, run_round

from zfed.errors import ConfigError
from zfed.params import ParameterBuffer, TensorKind
from zfed.strategies import FedAvg, FedAvgM


class TestFedAvgM(StrategyConformance):
    def make(self):
        return FedAvgM(server_learning_rate=0.5, server_momentum=0.9)

    def plain(self):
        return FedAvgM(server_momentum=0.9)  # velocity starts at zero, so the first step is the mean


def test_model_follows_velocity():
    model = ParameterBuffer.from_arrays({"w": np.zeros(1, np.float32)})
    step = ParameterBuffer.from_arrays({"w": np.ones(1, np.float32)})
    strategy = FedAvgM(server_learning_rate=0.5, server_momentum=0.5)
    strategy.start(model)
    for velocity, value in [(1.0, 0.5), (1.5, 1.25), (1.75, 2.125)]:
        model = run_round(strategy, model, [step], [3.0])
        assert strategy.state["velocity.F32.average"][0] == velocity
        assert model["w"][0] == value
        assert strategy.largest_delta == 1.0


def test_running_statistics_have_no_momentum():
    kinds = {"mean": TensorKind.RUNNING}
    model = ParameterBuffer.from_arrays({"mean": np.zeros(1, np.float32)}, kinds=kinds)
    step = ParameterBuffer.from_arrays({"mean": np.ones(1, np.float32)}, kinds=kinds)
    strategy = FedAvgM(server_learning_rate=0.5, server_momentum=0.9)
    strategy.start(model)
    for value in (1.0, 2.0, 3.0):
        model = run_round(strategy, model, [step], [1.0])
        assert model["mean"][0] == value
    assert strategy.state == {}


def test_without_momentum_it_is_federated_averaging():
    results = []
    for strategy in (
        FedAvg(server_learning_rate=0.5),
        FedAvgM(server_learning_rate=0.5, server_momentum=0.0),
    ):
        model = make_model()
        model = ParameterBuffer.from_arrays(
            {"w": model["f64"], "b": model["f64"][0]}
        )  # float64: no rounding of v
        strategy.start(model)
        for seed in (1, 2):
            update = make_update(make_model(), seed)["f64"]
            delta = ParameterBuffer.from_arrays({"w": update, "b": update[0]})
            model = run_round(strategy, model, [delta], [2.0])
        results.append(moving_bytes(model))
    assert results[0] == results[1]


@pytest.mark.parametrize("momentum", [-0.1, 1.0, math.nan])
def test_a_momentum_that_is_none_is_refused(momentum):
    with pytest.raises(ConfigError, match="server momentum"):
        FedAvgM(server_momentum=momentum)
