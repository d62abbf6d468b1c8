import numpy as np
import pytest

from tests.zfed.strategies.robust.rule_conformance import RuleConformance, combined
from zfed.errors import ConfigError
from zfed.strategies.robust import Median, TrimmedMean
from zfed.strategies.robust.rows import BLOCK


class TestMedian(RuleConformance):
    def make(self):
        return Median()


class TestTrimmedMeanWithSlowServer(RuleConformance):
    def make(self):
        return TrimmedMean(trim=2, server_learning_rate=0.5)

    def plain(self):
        return TrimmedMean(trim=2)


@pytest.mark.parametrize(
    ("count", "size"), [(1, 5), (2, 5), (3, 5), (4, 5), (9, 5), (10, 5), (3, 2 * BLOCK + 7)]
)
def test_the_median_is_numpys(count, size):
    rows = np.random.default_rng(count).standard_normal((count, size))
    np.testing.assert_array_equal(combined(Median(), rows), np.median(rows, axis=0))


def test_an_even_number_of_very_large_values_has_a_finite_median():
    assert combined(Median(), [[1.5e308], [1.7e308]]) == 1.6e308


@pytest.mark.parametrize(("count", "trim"), [(1, 0), (3, 1), (7, 1), (10, 3), (11, 5)])
def test_the_trimmed_mean_is_that_of_the_values_in_between(count, trim):
    rows = np.random.default_rng(count).standard_normal((count, 5))
    wanted = np.sort(rows, axis=0)[trim : count - trim].mean(axis=0)
    np.testing.assert_allclose(combined(TrimmedMean(trim=trim), rows), wanted, rtol=1e-14)


def test_a_trimmed_mean_needs_more_than_it_leaves_out():
    assert TrimmedMean(trim=3).needs.updates == 7
    with pytest.raises(ConfigError, match="trim is -1, expected a whole number from 0 on"):
        TrimmedMean(trim=-1)
