import itertools

import numpy as np
import pytest

from tests.zfed.strategies.robust.rule_conformance import RuleConformance, combined
from zfed.errors import ConfigError
from zfed.strategies.robust import Krum, MultiKrum
from zfed.strategies.robust.krum import closest_together


class TestKrum(RuleConformance):
    def make(self):
        return Krum()


class TestMultiKrum(RuleConformance):
    def make(self):
        return MultiKrum(byzantine=1, keep=4)


def scores_by_the_paper(rows, byzantine):
    """Blanchard et al., section 4: for every worker the sum over its n - f - 2 closest vectors."""
    return [
        sum(
            sorted(np.sum((row - other) ** 2) for j, other in enumerate(rows) if j != i)[
                : len(rows) - byzantine - 2
            ]
        )
        for i, row in enumerate(rows)
    ]


@pytest.mark.parametrize(("count", "byzantine"), [(3, 0), (5, 1), (9, 2), (11, 4)])
def test_krum_takes_the_row_with_the_smallest_score_of_the_paper(count, byzantine):
    for seed in range(10):
        rows = np.random.default_rng(seed).standard_normal((count, 4))
        wanted = rows[np.argmin(scores_by_the_paper(rows, byzantine))]
        np.testing.assert_array_equal(combined(Krum(byzantine=byzantine), rows), wanted)


def test_multi_krum_averages_the_rows_with_the_smallest_scores():
    for seed, (keep, expected) in itertools.product(range(5), [(1, 1), (4, 4), (0, 9 - 2 - 2), (7, 7)]):
        rows = np.random.default_rng(seed).standard_normal((9, 4))
        wanted = rows[np.argsort(scores_by_the_paper(rows, 2))[:expected]].mean(axis=0)
        rule = MultiKrum(byzantine=2, keep=keep)
        np.testing.assert_allclose(combined(rule, rows), wanted, rtol=1e-12)


def test_the_choice_is_that_of_an_independent_implementation():
    # Flower, src/py/flwr/server/strategy/krum_test.py and multikrum_test.py: three workers and one hostile,
    # fewer than the paper allows, so each row is judged by its one nearest neighbour
    def squares(values):
        return 4 * np.subtract.outer(values, values).astype(np.float32) ** 2

    assert closest_together(squares([0.2, 0.7, 1.0]), 1, 1) == [1]
    assert closest_together(squares([0.2, 0.5, 1.0]), 1, 2) == [0, 1]


def test_of_rows_as_good_the_first_name_is_taken():
    rows = [[0.0], [1.0], [0.0], [1.0], [0.5]]
    names = ["e", "d", "c", "b", "a"]
    assert combined(Krum(byzantine=0), [[1.0], [0.0], [2.0]], ["x", "z", "y"]) == 1.0
    assert combined(Krum(), rows, names) == combined(Krum(), rows[::-1], names[::-1])


def test_krum_needs_twice_as_many_as_are_hostile_and_three():
    assert Krum(byzantine=2).needs.updates == 7
    assert MultiKrum(byzantine=2).needs.updates == 7
    assert MultiKrum(byzantine=2, keep=8).needs.updates == 10  # 8 that are not hostile
    for rule in (Krum, MultiKrum):
        with pytest.raises(ConfigError, match="byzantine is -1, expected a whole number from 0 on"):
            rule(byzantine=-1)
