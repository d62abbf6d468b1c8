import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zfed.config import CoordinatorConfig, EvaluateConfig, RunConfig, ScheduleConfig, SelectConfig
from zfed.config.sizes import parse_size
from zfed.errors import ConfigError
from zfed.nodes.upload_plan import WINDOW_BYTES, MemoryBudget, budget_of, plan_uploads, planner_of
from zfed.params import ParameterBuffer, ParameterLayout
from zfed.strategies import STRATEGIES
from zfed.strategies.robust import Median

MB = 1_000_000


def layout(nbytes):
    """Of one tensor, which nobody allocates."""
    tensor = f'["w","F32",[{nbytes // 4}],"average"]'
    return ParameterLayout.from_bytes(f'{{"format":"zfed-layout/1","tensors":[{tensor}]}}'.encode())


def plan(budget, size, *, strategy=3, slots=8, own_models=False, kept=0):
    model = layout(size)
    return plan_uploads(
        MemoryBudget(budget, "--memory-budget"),
        model,
        strategy_bytes=strategy * size,
        slots=slots,
        own_models=own_models,
        kept=kept,
        kept_bytes=kept * size,
    )


def test_what_the_model_leaves_of_the_budget_is_for_updates():
    reserved = 4 * 200 * MB + WINDOW_BYTES
    assert plan(reserved + 2 * 200 * MB, 200 * MB).in_memory == 2
    assert plan(reserved + 3 * 200 * MB - 1, 200 * MB).in_memory == 2
    assert plan(reserved + 3 * 200 * MB, 200 * MB).in_memory == 3


def test_no_more_is_under_way_than_all_slots_can_hold():
    assert plan(100 * MB, 4000, slots=2).reserved == 4 * 4000 + 2 * 4000


def test_workers_own_models_take_two_models_more():
    assert plan(10**9, MB, own_models=True).reserved == plan(10**9, MB).reserved + 2 * MB


@given(
    st.integers(0, 10**10),
    st.integers(1, 10**8).map(lambda words: 4 * words),
    st.integers(1, 40),
    st.booleans(),
)
def test_plan_stays_within_budget_and_slots_or_says_what_would_do(budget, size, slots, own_models):
    try:
        made = plan(budget, size, slots=slots, own_models=own_models)
    except ConfigError as error:
        asked = parse_size(re.search(r"--memory-budget (\d+MB)$", str(error)).group(1))
        assert plan(asked, size, slots=slots, own_models=own_models).in_memory >= 1
    else:
        assert 1 <= made.in_memory <= slots
        assert made.reserved + made.in_memory * size <= budget


def test_budget_too_small_says_what_was_given_and_what_is_needed():
    with pytest.raises(ConfigError) as caught:
        plan(500 * MB, 200 * MB)
    assert str(caught.value) == (
        "the memory budget is 500 MB (--memory-budget); a model of 200.0 MB needs at least 1,068 MB: 867 MB "
        "for the model, its sum and what is under way, 200.0 MB for each update that is received at the same "
        "time. If this machine has as much, say --memory-budget 1068MB"
    )


def test_budget_is_what_was_asked_for_or_half_of_what_is_free():
    assert budget_of("1.5GB", 10**9).bytes == 1_500_000_000
    assert budget_of("", 10**9) == MemoryBudget(500_000_000, "half of what is free")
    with pytest.raises(ConfigError, match="--memory-budget"):
        budget_of("", None)


@pytest.mark.parametrize("name", ["fedavg", "fedavgm"])
def test_planner_reserves_what_the_strategy_asks_for(name):
    model = ParameterBuffer.from_arrays({"w": np.zeros(1000, np.float32)}).layout
    strategy = STRATEGIES[name]()
    config = CoordinatorConfig(
        run=RunConfig(memory_budget="1MB", upload_slots=3), evaluate=EvaluateConfig(workers=False)
    )
    made = planner_of(config, strategy, None)(model, 5)
    assert made.reserved == 4000 + strategy.memory(model, 1) + 3 * 4000
    assert (made.in_memory, made.kept) == (3, 0)


@pytest.mark.parametrize(
    ("workers", "schedule", "select", "kept"),
    [
        (0, {}, {}, 5),
        (9, {}, {}, 9),
        (9, {}, {"cohort": "3"}, 3),
        (9, {"kind": "buffered", "goal": "4"}, {}, 4),
        (9, {"kind": "quorum", "goal": "50%"}, {}, 5),
        (9, {"kind": "quorum", "goal": "50%", "grace_s": 1.0}, {}, 9),
        (9, {"kind": "over-select"}, {"cohort": "4"}, 4),
        (9, {"kind": "over-select", "grace_s": 1.0}, {"cohort": "4"}, 6),
        (9, {}, {"cohort": "10%", "rule": "poisson"}, 9),
    ],
)
def test_planner_reserves_what_a_strategy_keeps_of_the_most_updates_of_a_version(
    workers, schedule, select, kept
):
    model = layout(4000)
    config = CoordinatorConfig(
        run=RunConfig(memory_budget="1MB", wait_for="5"),
        schedule=ScheduleConfig(**schedule),
        select=SelectConfig(**select),
    )
    made = planner_of(config, Median(), None)(model, workers)
    assert (made.kept, made.kept_bytes) == (kept, kept * 2 * 4000)  # and a block of each, as long as it is
    assert made.reserved == 4000 + Median().memory(model, kept) + 8 * 4000


def test_budget_too_small_for_updates_that_are_kept_says_what_they_take():
    with pytest.raises(
        ConfigError, match=r"way, 1,400\.0 MB for 7 updates that are compared, 200\.0 MB for each"
    ):
        plan(1500 * MB, 200 * MB, kept=7)
