import numpy as np
import pytest

from tests.zfed.strategies.contributions import contribution
from tests.zfed.strategies.robust.rule_conformance import RuleConformance, combined
from zfed.errors import ConfigError
from zfed.params import ParameterBuffer
from zfed.strategies.robust import CentredClipping


class TestCentredClipping(RuleConformance):
    def make(self):
        return CentredClipping()


def clipped_by_the_paper(rows, centre, radius, iterations):
    """Karimireddy et al., equation CCLIP, with numpy."""
    for _ in range(iterations):
        distances = np.linalg.norm(rows - centre, axis=1, keepdims=True)
        centre = centre + ((rows - centre) * np.minimum(1, radius / distances)).mean(axis=0)
    return centre


def rounds(strategy, history):
    """What several rounds come to, one after another."""
    model = ParameterBuffer.from_arrays({"w": np.zeros(history[0].shape[1])})
    strategy.start(model)
    results = []
    for rows in history:
        strategy.open_round(1.0)
        for number, row in enumerate(rows):
            strategy.accumulate(contribution(node=f"w{number}"), [(0, row.tobytes())])
        results.append(strategy.finish(model)["w"])
    return results


@pytest.mark.parametrize(("radius", "iterations"), [(0.5, 1), (2.0, 3), (100.0, 1)])
def test_each_round_begins_where_the_one_before_ended(radius, iterations):
    rng = np.random.default_rng(2)
    history = [rng.standard_normal((6, 8)) + 1 for _ in range(4)]
    centre = np.zeros(8)
    for rows, seen in zip(
        history, rounds(CentredClipping(radius=radius, iterations=iterations), history), strict=True
    ):
        centre = clipped_by_the_paper(rows, centre, radius, iterations)
        np.testing.assert_allclose(seen, centre, rtol=1e-12)


def test_within_the_radius_it_is_the_mean():
    rows = np.random.default_rng(5).standard_normal((5, 3))
    np.testing.assert_allclose(
        combined(CentredClipping(radius=100.0, iterations=1), rows), rows.mean(axis=0), rtol=1e-12
    )


def test_without_a_radius_the_middle_distance_is_one():
    rows = np.random.default_rng(6).standard_normal((5, 3)) + 2
    radius = np.median(np.linalg.norm(rows, axis=1))
    wanted = clipped_by_the_paper(rows, np.zeros(3), radius, 1)
    np.testing.assert_allclose(combined(CentredClipping(iterations=1), rows), wanted, rtol=1e-12)


def test_where_all_are_at_the_centre_it_stays():
    np.testing.assert_array_equal(combined(CentredClipping(), np.zeros((4, 3))), np.zeros(3))


def test_options_out_of_range_are_refused():
    with pytest.raises(ConfigError, match="radius is -1"):
        CentredClipping(radius=-1.0)
    with pytest.raises(ConfigError, match="iterations is 0"):
        CentredClipping(iterations=0)
