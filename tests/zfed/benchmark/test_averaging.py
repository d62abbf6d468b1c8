from __future__ import annotations

import numpy as np
import pytest

from zfed.benchmark.averaging import WAYS, measure_averaging


@pytest.mark.parametrize("name", WAYS)
def test_all_ways_average_alike(name):
    updates = [np.random.default_rng(seed).random(1000, np.float32) for seed in range(3)]
    expected = np.mean(np.stack(updates).astype(np.float64), axis=0)
    averaged = WAYS[name](updates)
    assert averaged.dtype == np.float32
    np.testing.assert_allclose(averaged, expected, rtol=1e-6)


def test_each_way_is_timed():
    seconds = measure_averaging(1000, 3)
    assert list(seconds) == list(WAYS)
    assert min(seconds.values()) > 0
