"""What every robust rule keeps to, beside what every strategy does; and how a test gives one a few rows."""

import os

import numpy as np
import pytest
from conformance import (
    StrategyConformance,
    as_numbers,
    chunks,
    grid_of,
    moving_bytes,
    run_round,
    sent,
)

from tests.zfed.strategies.contributions import contribution
from zfed.errors import RunFailedError
from zfed.params import ParameterBuffer, TensorKind, widened
from zfed.strategies.robust.base import RobustRule

compiled = pytest.mark.skipif("NUMBA_DISABLE_JIT" in os.environ, reason="millions of elements, one by one")


def combined(rule: RobustRule, rows, names=None, root=None):
    """What a rule makes of updates of one float64 tensor, given as rows of a matrix."""
    rows = np.asarray(rows, np.float64)
    zeros = ParameterBuffer.from_arrays({"w": np.zeros(rows.shape[1])})
    rule.start(zeros)
    rule.open_round(1.0)
    if root is not None:
        rule.accumulate_root(contribution(node="root"), [(0, np.asarray(root, np.float64).tobytes())])
    for number, row in enumerate(rows):
        name = f"w{number:03}" if names is None else names[number]
        rule.accumulate(contribution(node=name), [(0, row.tobytes())])
    return rule.finish(zeros)["w"]


class RuleConformance(StrategyConformance):
    """Inherit, and override `make`."""

    # Counters are the median of what was sent: a maximum would be whatever a hostile worker says.
    test_counters_become_the_maximum_over_the_updates = None
    # They are copied as they come, and combined in blocks all the same.
    test_held_updates_longer_than_a_block_are_summed_right = None
    # There is no mean.
    test_largest_delta_is_that_of_the_mean = None
    test_updates_of_weight_one_count_alike = None  # to the bit only by name; see below

    def test_every_update_that_counts_counts_alike(self, model, updates, shares):
        alike, unlike = (self.started(model) for _ in range(2))
        ones = run_round(alike, model, updates, [1.0] * len(updates))
        assert moving_bytes(run_round(unlike, model, updates, shares)) == moving_bytes(ones)
        turned = run_round(self.started(model), model, updates[1:] + updates[:1], shares)
        for name in model:  # who sent which does not matter but for rounding
            np.testing.assert_allclose(as_numbers(turned, name), as_numbers(ones, name), rtol=1e-2, atol=1e-6)

    def test_counters_become_the_lower_median_over_the_updates(self, model, updates, shares, strategy):
        new = run_round(strategy, model, updates, shares)
        for name in ("batches", "small", "seen"):
            ordered = np.sort([update[name] for update in updates], axis=0)
            np.testing.assert_array_equal(new[name], ordered[(len(ordered) - 1) // 2])

    def test_largest_delta_is_that_of_what_the_updates_come_to(self, model, updates, shares):
        nothing = ParameterBuffer.zeros(model.layout)
        strategy = self.started(nothing)
        new = run_round(strategy, nothing, updates, shares)
        moved = [t for t in new.layout.moving.tensors if t.kind is not TensorKind.COUNTER and t.size]
        largest = max(
            np.abs(widened(new[each.name], each.dtype)).max()
            / (strategy.server_learning_rate if each.kind is TensorKind.AVERAGE else 1)
            for each in moved
        )
        assert strategy.largest_delta == pytest.approx(largest, rel=2.0**-8)

    @compiled
    def test_stretches_of_the_new_model_are_told_in_order_and_do_not_change_after(self, fewest):
        super().test_stretches_of_the_new_model_are_told_in_order_and_do_not_change_after(fewest)

    @compiled
    def test_memory_is_what_was_declared(self, fewest):
        super().test_memory_is_what_was_declared(max(fewest, 3))

    def test_every_update_is_asked_for(self):
        needs = self.make().needs
        assert needs.every_update
        assert needs.strategy != "this strategy"

    def test_fewer_updates_than_needed_make_no_version(self, model, updates, shares, strategy, fewest):
        strategy.open_round(grid_of(strategy, [1.0]))
        for told, update in zip(sent(strategy, updates, shares), updates[: fewest - 1], strict=False):
            strategy.accumulate(told, chunks(update))
        with pytest.raises(RunFailedError, match=f"no update of this round|the strategy needs {fewest}"):
            strategy.finish(model)
