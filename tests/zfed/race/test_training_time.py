import pytest

from zfed.errors import ConfigError
from zfed.race.training_time import evaluate_s, train_s
from zfed.simulation.profiles import Device

SLOW = Device(example_s=2.0)


@pytest.mark.parametrize(
    ("settings", "examples_seen"),
    [
        ({}, 50),
        ({"epochs": 3}, 150),
        ({"batches": 4, "batch_size": 10}, 40),
        ({"epochs": 2, "known_to_the_task_alone": "x"}, 100),
    ],
)
def test_training_takes_as_long_as_the_examples_that_it_sees(settings, examples_seen):
    assert train_s(SLOW, settings, 50) == 2.0 * examples_seen


def test_a_setting_that_cannot_be_is_refused():
    with pytest.raises(ConfigError, match="epochs is 0"):
        train_s(SLOW, {"epochs": 0}, 50)


def test_evaluating_an_example_takes_a_third_of_training_it():
    assert evaluate_s(SLOW, 60) == pytest.approx(train_s(SLOW, {}, 60) / 3)
