from dataclasses import dataclass

import pytest

from zfed.config.train import TrainSettings
from zfed.errors import ConfigError


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
        ({"optimizer": "lion"}, "expected one of sgd, adam, adamw"),
        ({"optimizer": ["sgd"]}, "expected one of"),
        ({"learning_rate": 0}, "more than 0"),
        ({"learning_rate": float("nan")}, "finite"),
        ({"learning_rate": "fast"}, "expected float"),
        ({"learning_rate_decay": 1.5}, "at most 1"),
        ({"learning_rate_floor": -1.0}, "at least 0"),
        ({"momentum": 1.0}, "below 1"),
        ({"momentum": 0.9, "optimizer": "adam"}, "belongs to sgd"),
        ({"weight_decay": -0.1}, "at least 0"),
    ],
)
def test_a_wrong_table_is_refused_with_what_would_be_right(table: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        TrainSettings.parse(table)


def test_an_integer_will_do_for_a_float() -> None:
    assert TrainSettings.parse({"learning_rate": 1}).learning_rate == 1.0


def test_a_task_adds_keys_of_its_own_by_deriving() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Proximal(TrainSettings):
        proximal: float = 0.0

    assert Proximal.parse({"proximal": 0.5, "batches": 2}).proximal == 0.5
    with pytest.raises(ConfigError, match='did you mean "proximal"'):
        Proximal.parse({"proximl": 0.5})
