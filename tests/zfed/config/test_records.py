from __future__ import annotations

from zfed.config import EvaluateConfig


def test_listed_rounds_replace_first_and_every_but_not_last():
    config = EvaluateConfig(rounds=[2, 11])
    assert [round for round in range(1, 13) if config.wanted(round, 12)] == [2, 11, 12]


def test_without_last_the_listed_rounds_are_the_only_ones_evaluated():
    config = EvaluateConfig(rounds=[2, 11], last=False)
    assert [round for round in range(1, 13) if config.wanted(round, 12)] == [2, 11]


def test_first_every_and_last_add_up():
    config = EvaluateConfig(every=5)
    assert [round for round in range(1, 13) if config.wanted(round, 12)] == [1, 5, 10, 12]


def test_every_zero_means_never():
    config = EvaluateConfig(first=False, every=0, last=False)
    assert not any(config.wanted(round, 12) for round in range(1, 13))
