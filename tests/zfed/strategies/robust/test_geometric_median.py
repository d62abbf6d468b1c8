import numpy as np
import pytest

from tests.zfed.strategies.robust.rule_conformance import RuleConformance, combined
from zfed.errors import ConfigError
from zfed.strategies.robust import GeometricMedian
from zfed.strategies.robust.geometric_median import weiszfeld_weights


class TestGeometricMedian(RuleConformance):
    def make(self):
        return GeometricMedian(iterations=5)


def test_of_a_triangle_it_is_fermats_point():
    """From which all sides appear under 120 degrees; of an equilateral triangle the centre."""
    found = combined(GeometricMedian(tolerance=1e-12), [[0.0, 0.0], [4.0, 0.0], [1.0, 3.0]])
    towards = [np.subtract(corner, found) for corner in ([0, 0], [4, 0], [1, 3])]
    for one, other in ((0, 1), (1, 2), (2, 0)):
        cosine = towards[one] @ towards[other] / np.linalg.norm(towards[one]) / np.linalg.norm(towards[other])
        assert cosine == pytest.approx(-0.5, abs=1e-5)
    equilateral = [[0.0, 0.0], [2.0, 0.0], [1.0, 3**0.5]]
    np.testing.assert_allclose(combined(GeometricMedian(), equilateral), [1, 3**-0.5], atol=1e-5)


def test_of_a_convex_quadrilateral_it_is_where_the_diagonals_cross():
    corners = [[0.0, 0.0], [6.0, 1.0], [4.0, 4.0], [1.0, 5.0]]
    a, _ = np.linalg.solve([[4.0, 5.0], [4.0, -4.0]], [6.0, 1.0])  # a (4, 4) = (6, 1) + b (-5, 4)
    np.testing.assert_allclose(combined(GeometricMedian(tolerance=1e-12), corners), [4 * a, 4 * a], atol=1e-5)


def test_of_numbers_it_is_the_median():
    assert combined(GeometricMedian(), [[1.0], [2.0], [30.0], [4.0], [5.0]]) == pytest.approx(4.0, abs=1e-4)


def test_half_of_the_rows_at_one_point_are_the_median():
    rows = [[1.0, 1.0], [1.0, 1.0], [1.0, 1.0], [9.0, -7.0], [3.0, 0.0]]
    np.testing.assert_allclose(combined(GeometricMedian(), rows), [1, 1], atol=1e-5)
    np.testing.assert_array_equal(weiszfeld_weights(np.array([0.0, 2.0, 0.0])), [0.5, 0, 0.5])


def test_the_pulls_of_all_rows_cancel_out():
    rows = np.random.default_rng(3).standard_normal((9, 20))
    towards = rows - combined(GeometricMedian(tolerance=1e-12), rows)
    assert np.linalg.norm((towards / np.linalg.norm(towards, axis=1, keepdims=True)).sum(axis=0)) < 1e-6


def test_more_iterations_never_make_the_sum_of_distances_larger():
    rows = np.random.default_rng(4).standard_normal((9, 20)) * np.arange(1, 10)[:, None]
    sums = []
    for iterations in range(1, 9):
        point = combined(GeometricMedian(iterations=iterations, tolerance=0), rows)
        sums.append(np.linalg.norm(rows - point, axis=1).sum())
    assert sums == sorted(sums, reverse=True)


def test_options_out_of_range_are_refused():
    with pytest.raises(ConfigError, match="iterations is 0, expected a whole number from 1 on"):
        GeometricMedian(iterations=0)
    with pytest.raises(ConfigError, match="tolerance is -1"):
        GeometricMedian(tolerance=-1.0)
