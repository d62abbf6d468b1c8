from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zfed.config.train import TrainSettings, steps_asked
from zfed.data.batches import batches_of_round
from zfed.errors import ConfigError
from zfed.task import Context


def test_an_empty_table_means_one_pass_of_plain_sgd() -> None:
    settings = TrainSettings.parse({})
    assert (settings.optimizer, settings.batch_size) == ("sgd", 32)
    assert settings.batch_count(100) == 4


def test_batches_replace_the_pass_over_the_data() -> None:
    assert TrainSettings.parse({"batches": 10}).batch_count(1_000_000) == 10


def test_epochs_count_the_smaller_last_batch() -> None:
    assert TrainSettings.parse({"epochs": 3, "batch_size": 30}).batch_count(61) == 9


@pytest.mark.parametrize(
    ("round", "rate"), [(0, 0.1), (1, 0.1), (2, 0.098), (11, 0.1 * 0.98**10), (1000, 0.001)]
)
def test_the_learning_rate_decays_per_round_down_to_its_floor(round: int, rate: float) -> None:
    table = {"learning_rate": 0.1, "learning_rate_decay": 0.98, "learning_rate_floor": 0.001}
    assert TrainSettings.parse(table).learning_rate_in(round) == pytest.approx(rate)


def test_a_stepped_learning_rate_keeps_each_step_for_its_rounds() -> None:
    table = {"learning_rate": 0.8, "learning_rate_schedule": "step", "learning_rate_decay": 0.5}
    settings = TrainSettings.parse({**table, "learning_rate_rounds": 2})
    assert [settings.learning_rate_in(round) for round in range(1, 6)] == [0.8, 0.8, 0.4, 0.4, 0.2]


def test_a_cosine_goes_down_to_the_floor_and_stays_there() -> None:
    table = {"learning_rate": 0.3, "learning_rate_schedule": "cosine", "learning_rate_floor": 0.1}
    settings = TrainSettings.parse({**table, "learning_rate_rounds": 4})
    rates = [settings.learning_rate_in(round) for round in range(1, 8)]
    slope = 0.1 * 2**-0.5  # (1 + cos(pi / 4)) / 2 of the way, less the half of it that is there anyway
    assert rates == pytest.approx([0.3, 0.2 + slope, 0.2, 0.2 - slope, 0.1, 0.1, 0.1])


def test_a_warm_up_rises_in_equal_steps_and_the_schedule_begins_after_it() -> None:
    table = {"learning_rate": 0.4, "learning_rate_warmup": 3, "learning_rate_decay": 0.5}
    settings = TrainSettings.parse(table)
    assert [settings.learning_rate_in(round) for round in range(1, 7)] == pytest.approx(
        [0.1, 0.2, 0.3, 0.4, 0.2, 0.1]
    )


@given(
    schedule=st.sampled_from(["exponential", "step", "cosine"]),
    rounds=st.integers(1, 50),
    decay=st.floats(0.1, 0.99),
    floor=st.floats(0, 0.1),
    warmup=st.integers(0, 5),
)
def test_after_the_warm_up_no_schedule_rises_or_goes_below_its_floor(
    schedule: Any, rounds: int, decay: float, floor: float, warmup: int
) -> None:
    settings = TrainSettings(
        learning_rate=0.1,
        learning_rate_schedule=schedule,
        learning_rate_decay=1.0 if schedule == "cosine" else decay,
        learning_rate_rounds=None if schedule == "exponential" else rounds,
        learning_rate_floor=floor,
        learning_rate_warmup=warmup,
    )
    rates = [settings.learning_rate_in(warmup + round) for round in range(1, 60)]
    assert rates[0] == pytest.approx(0.1)
    assert all(earlier >= later >= floor for earlier, later in pairwise(rates))


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"learning_rat": 0.1}, 'did you mean "learning_rate"'),
        ({"zzz": 1}, "known: batches, epochs"),
        ({"batches": 10, "epochs": 1}, "both batches and epochs"),
        ({"batches": 0}, "batches is 0"),
        ({"batches": True}, "batches is True, expected int"),
        ({"batches": 10.0}, "expected int"),
        ({"batch_size": "32"}, "batch_size is '32', expected int"),
        ({"optimizer": "lion"}, "optimizer is 'lion'; known: sgd, adam, adamw, adagrad, rmsprop"),
        ({"optimizer": "admaw"}, 'did you mean "adamw"'),
        ({"optimizer": ["sgd"]}, "known: sgd"),
        ({"learning_rate": 0}, "more than 0"),
        ({"learning_rate": float("nan")}, "finite"),
        ({"learning_rate": "fast"}, "expected float"),
        ({"learning_rate_decay": 1.5}, "at most 1"),
        ({"learning_rate_floor": -1.0}, "at least 0"),
        ({"momentum": 1.0}, "below 1"),
        ({"learning_rate": 0.1, "learning_rate_floor": 0.2}, "at most the learning_rate of 0.1"),
        ({"learning_rate_rounds": 5}, "belongs to step and cosine"),
        ({"learning_rate_schedule": "cosine"}, "cosine wants learning_rate_rounds"),
        (
            {"learning_rate_schedule": "cosine", "learning_rate_rounds": 5, "learning_rate_decay": 0.9},
            "does not go with cosine",
        ),
        (
            {"learning_rate_schedule": "step", "learning_rate_rounds": 5},
            "wants a learning_rate_decay below 1",
        ),
        ({"learning_rate_warmup": -1}, "from 0"),
        ({"momentum": 0.9, "optimizer": "adam"}, "belongs to sgd and rmsprop, not adam"),
        ({"beta1": 0.9}, "belongs to adam and adamw, not sgd"),
        ({"beta2": 1.0, "optimizer": "adam"}, "below 1"),
        ({"epsilon": 0, "optimizer": "adam"}, "more than 0"),
        ({"nesterov": 1, "momentum": 0.9}, "expected bool"),
        ({"nesterov": True}, "changes nothing without momentum"),
        ({"dampening": 0.5}, "changes nothing without momentum"),
        ({"nesterov": True, "dampening": 0.5, "momentum": 0.9}, "does not go with dampening"),
        ({"clip_norm": 0.0}, "more than 0"),
        ({"proximal": -1}, "at least 0"),
        ({"weight_decay": -0.1}, "at least 0"),
    ],
)
def test_a_wrong_table_is_refused_with_what_would_be_right(table: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        TrainSettings.parse(table)


@given(
    said=st.one_of(
        st.fixed_dictionaries({"batches": st.integers(1, 99)}, optional={"batch_size": st.integers(1, 50)}),
        st.fixed_dictionaries({"epochs": st.integers(1, 5), "batch_size": st.integers(1, 50)}),
    ),
    examples=st.integers(1, 500),
)
def test_the_steps_asked_for_are_the_batches_that_a_task_takes(said: dict[str, int], examples: int) -> None:
    taken = list(batches_of_round(examples, TrainSettings.parse(said), Context()))
    assert steps_asked({**said, "a_key_of_my_task": 3}, examples) == len(taken)


@pytest.mark.parametrize(
    "table",
    [{}, {"steps": 9}, {"epochs": 2}, {"batch_size": 8}, {"batches": "all"}, {"epochs": 0, "batch_size": 8}],
)
def test_a_table_that_leaves_the_steps_to_the_task_asks_for_none(table: dict[str, object]) -> None:
    assert steps_asked(table, 100) is None


def test_an_integer_will_do_for_a_float() -> None:
    assert TrainSettings.parse({"learning_rate": 1}).learning_rate == 1.0


def test_a_task_adds_keys_of_its_own_by_deriving() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Smoothed(TrainSettings):
        smoothing: float = 0.0

    assert Smoothed.parse({"smoothing": 0.5, "batches": 2}).smoothing == 0.5
    with pytest.raises(ConfigError, match='did you mean "smoothing"'):
        Smoothed.parse({"smothing": 0.5})
