import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zfed.config import CoordinatorConfig, EvaluateConfig, RunConfig
from zfed.config.sizes import parse_size
from zfed.errors import ConfigError
from zfed.nodes.upload_plan import WINDOW_BYTES, MemoryBudget, budget_of, plan_uploads, planner_of
from zfed.params import ParameterBuffer, ParameterLayout
from zfed.strategies import STRATEGIES

MB = 1_000_000


def layout(nbytes):
    """Of one tensor, which nobody allocates."""
    tensor = f'["w","F32",[{nbytes // 4}],"average"]'
    return ParameterLayout.from_bytes(f'{{"format":"zfed-layout/1","tensors":[{tensor}]}}'.encode())


def plan(budget, size, *, strategy=3, slots=8, own_models=False):
    model = layout(size)
    return plan_uploads(
        MemoryBudget(budget, "--memory-budget"),
        model,
        strategy_bytes=strategy * size,
        slots=slots,
        own_models=own_models,
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
    made = planner_of(config, strategy, None)(model)
    assert made.reserved == 4000 + strategy.memory(model, 1) + 3 * 4000
    assert made.in_memory == 3
