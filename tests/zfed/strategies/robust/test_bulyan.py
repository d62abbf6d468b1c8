import numpy as np
import pytest

from tests.zfed.strategies.robust.rule_conformance import RuleConformance, combined
from zfed.strategies.robust import Bulyan


class TestBulyan(RuleConformance):
    def make(self):
        return Bulyan()


def bulyan_by_the_paper(rows, byzantine):
    """El Mhamdi et al., section 4, step by step and number by number."""
    left, chosen = list(rows), []
    while len(chosen) < len(rows) - 2 * byzantine:
        neighbours = max(len(left) - byzantine - 2, 1)
        scores = [
            sum(sorted(np.sum((row - other) ** 2) for j, other in enumerate(left) if j != i)[:neighbours])
            for i, row in enumerate(left)
        ]
        chosen.append(left.pop(int(np.argmin(scores))))
    nearest = len(chosen) - 2 * byzantine
    result = []
    for column in np.array(chosen).T:
        median = np.median(column)
        result.append(np.mean(sorted(column, key=lambda value: abs(value - median))[:nearest]))
    return np.array(result)


@pytest.mark.parametrize(("count", "byzantine"), [(3, 0), (7, 1), (8, 1), (11, 2), (16, 3)])
def test_it_does_what_the_paper_says(count, byzantine):
    for seed in range(10):
        rows = np.random.default_rng(seed).standard_normal((count, 4))
        wanted = bulyan_by_the_paper(rows, byzantine)
        np.testing.assert_allclose(combined(Bulyan(byzantine=byzantine), rows), wanted, rtol=1e-12)


def test_one_number_far_off_in_an_update_that_is_near_does_no_harm():
    rows = np.random.default_rng(1).standard_normal((7, 1000)) * 0.1
    rows[3] = rows.mean(axis=0)  # Krum would choose it
    rows[3, 500] = 2.0
    assert abs(combined(Bulyan(), rows)[500]) < 0.3


def test_bulyan_needs_four_times_as_many_as_are_hostile_and_three():
    assert Bulyan(byzantine=2).needs.updates == 11
