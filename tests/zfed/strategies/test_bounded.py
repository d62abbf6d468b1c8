import math

import numpy as np
import pytest
from conformance import StrategyConformance, learned_norm, make_model, make_update, moving_bytes, run_round
from hypothesis import given
from hypothesis import strategies as st

from zfed.errors import ConfigError
from zfed.params import ParameterBuffer, TensorKind
from zfed.strategies import FedAvg, NormBounding

BETWEEN = float(np.median([learned_norm(make_update(make_model(), seed)) for seed in (1, 2, 3, 4)]))
"""Some updates of the conformance suite are longer, some are not."""


class TestNormBounding(StrategyConformance):
    def make(self):
        return NormBounding(bound=BETWEEN)

    def plain(self):
        return NormBounding(bound=1e6)

    def divisor(self, strategy, kind, updates, shares):
        if kind is TensorKind.AVERAGE:
            return sum(shares)
        factors = [min(1, BETWEEN / learned_norm(each)) for each in updates]
        return np.dot(shares, factors)


def test_longer_updates_are_shortened_to_the_bound_and_shorter_ones_are_not():
    model = ParameterBuffer.from_arrays({"w": np.zeros(2)})
    updates = [ParameterBuffer.from_arrays({"w": np.array(each)}) for each in ([3.0, 4.0], [0.0, 1.0])]
    strategy = NormBounding(bound=2.5)
    strategy.start(model)
    new = run_round(strategy, model, updates, [1.0, 3.0])
    np.testing.assert_allclose(new["w"], (np.array([1.5, 2.0]) + 3 * np.array([0.0, 1.0])) / 4, atol=1e-12)


def test_a_bound_that_no_update_reaches_changes_no_byte():
    model, results = make_model(), []
    updates = [make_update(model, seed) for seed in (1, 2)]
    for strategy in (NormBounding(bound=1e6), FedAvg()):
        strategy.start(model)
        results.append(moving_bytes(run_round(strategy, model, updates, [1.0, 3.0])))
    assert results[0] == results[1]


@given(st.integers(0, 2**32), st.floats(1e-3, 1e3))
def test_no_update_moves_the_model_further_than_its_share_of_the_bound(seed, scale):
    rng = np.random.default_rng(seed)
    model = ParameterBuffer.from_arrays({"w": np.zeros(9)})
    honest, hostile = rng.standard_normal(9) / 10, rng.standard_normal(9) * scale
    strategy = NormBounding(bound=1.0)
    strategy.start(model)
    moved = []
    for second in (hostile, np.zeros(9)):
        updates = [ParameterBuffer.from_arrays({"w": each}) for each in (honest, second)]
        grid = 2.0**-30
        moved.append(run_round(strategy, model, updates, [6.0, 1.0], grid)["w"])
    assert np.linalg.norm(moved[0] - moved[1]) <= 1 / 7 + 1e-7


@pytest.mark.parametrize("bound", [0.0, -1.0, math.nan, math.inf])
def test_a_bound_that_is_none_is_refused(bound):
    with pytest.raises(ConfigError, match="option bound"):
        NormBounding(bound=bound)
