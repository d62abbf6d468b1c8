from __future__ import annotations

import itertools

import pytest

from zfed.config.tables import COORDINATOR, EVALUATE, NODE
from zfed.config.values import value_from_text, value_from_toml


def test_no_two_settings_of_one_command_share_a_flag_or_variable():
    for tables in (COORDINATOR, (NODE,)):
        settings = list(itertools.chain.from_iterable(table.settings for table in tables))
        assert len({setting.flag for setting in settings}) == len(settings)
        assert len({setting.variable for setting in settings}) == len(settings)


def test_names_of_a_setting_follow_from_its_field():
    timeout = next(setting for setting in EVALUATE.settings if setting.field == "timeout_s")
    assert (timeout.key, timeout.flag, timeout.variable, timeout.destination) == (
        "timeout",
        "--evaluate-timeout",
        "ZFED_EVALUATE_TIMEOUT",
        "evaluate_timeout",
    )


@pytest.mark.parametrize("table", [*COORDINATOR, NODE], ids=lambda table: table.name)
def test_every_default_is_a_value_that_its_own_setting_accepts(table):
    for setting in table.settings:
        assert value_from_toml(setting, setting.default, "default") == setting.default
        assert setting.help


@pytest.mark.parametrize("table", [*COORDINATOR, NODE], ids=lambda table: table.name)
def test_the_arguments_of_a_value_read_back_as_that_value(table):
    for setting in table.settings:
        words = setting.arguments(setting.default)
        if setting.type is bool:
            assert words == [setting.flag if setting.default else f"--no-{setting.flag[2:]}"]
        else:
            assert value_from_text(setting, words[1], words[0]) == setting.default
