import numpy as np
import pytest
from conformance import chunks, make_update

from tests.zfed.strategies.contributions import contribution
from tests.zfed.strategies.robust.rule_conformance import RuleConformance, combined
from zfed.errors import RunFailedError
from zfed.strategies.robust import FLTrust

ROOTS = {}


class WithRoot(FLTrust):
    """Given the same root update in every round, as an evaluator would send it."""

    def start(self, model):
        self._given = model.layout.digest
        if self._given not in ROOTS:  # once: memory of the test is none of the strategy
            ROOTS[self._given] = make_update(model, 1)
        super().start(model)

    def open_round(self, grid):
        super().open_round(grid)
        self.accumulate_root(contribution(node="eve"), chunks(ROOTS[self._given], 1 << 20))


class TestFLTrust(RuleConformance):
    # By its paper the length of an update is that of the root's, so one worker is not that worker.
    test_one_worker_gives_that_worker = None
    # An update has the root's length, and too large a number is cut down to it.
    test_a_mean_that_half_precision_cannot_hold_is_refused = None
    # They are not in the direction of the root, so they are not trusted.
    test_small_steps_add_up_in_half_precision = None

    def make(self):
        return WithRoot()


def fltrust_by_the_paper(rows, root):
    """Cao et al., equations 1 to 3."""
    trust = np.maximum(rows @ root / np.linalg.norm(rows, axis=1) / np.linalg.norm(root), 0)
    lengths = np.linalg.norm(root) / np.linalg.norm(rows, axis=1)
    return (trust * lengths) @ rows / trust.sum()


def test_it_does_what_the_paper_says():
    for seed in range(10):
        rng = np.random.default_rng(seed)
        rows, root = rng.standard_normal((6, 4)), rng.standard_normal(4)
        np.testing.assert_allclose(
            combined(FLTrust(), rows, root=root), fltrust_by_the_paper(rows, root), rtol=1e-12
        )


def test_an_example_worked_out_by_hand():
    # Along the root: trust 1; across and against it: none; at 45 degrees: the root of a half
    rows = [[2.0, 0.0], [0.0, 3.0], [-5.0, 0.0], [1.0, 1.0]]
    found = combined(FLTrust(), rows, root=[1.0, 0.0])
    np.testing.assert_allclose(found, [1.5 / (1 + 0.5**0.5), 0.5 / (1 + 0.5**0.5)], rtol=1e-12)


@pytest.mark.parametrize("root", [[1.0, 0.0], [0.0, 0.0]])
def test_where_nobody_is_trusted_nothing_moves(root):
    np.testing.assert_array_equal(combined(FLTrust(), [[-1.0, 0.0], [0.0, 0.0]], root=root), [0, 0])


def test_a_round_without_a_root_update_makes_no_version():
    assert FLTrust().needs.root
    with pytest.raises(RunFailedError, match="needs one root update of the evaluator, has 0"):
        combined(FLTrust(), [[1.0]])
