from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zfed.config import (
    CoordinatorConfig,
    Inputs,
    RunConfig,
    check_resumed,
    coordinator_toml,
    parse_document,
    resolve_coordinator,
    resolve_resumed,
)
from zfed.config.tables import COORDINATOR
from zfed.errors import ConfigError

BEGUN = parse_document(
    "[run]\nrun = 'elsewhere'\nseed = 5\nrounds = 40\ntrace = 'old.json'\n"
    "[train]\nbatches = 10\n[report]\nformat = 'json'\n",
    "runs/a/run.toml",
)


def inputs(text: str = "", *, flags=None, environment=None, assignments=None) -> Inputs:
    document = parse_document(text, "zfed.toml")
    return Inputs(flags or {}, assignments or {}, environment or {}, document)


def test_what_nobody_says_is_as_the_run_began():
    resolved = resolve_resumed(inputs(), BEGUN)
    run, origins = resolved.config.run, resolved.origins
    assert (run.seed, run.rounds, resolved.config.train) == (5, 40, {"batches": 10})
    assert (origins["run"]["seed"], origins["train"]["batches"]) == ("run.toml", "run.toml")
    assert origins["run"]["min_workers"] == "default"


def test_a_flag_a_variable_and_a_file_stand_above_the_run():
    for said, origin in (
        (inputs(flags={"rounds": "60"}), "--rounds"),
        (inputs(environment={"ZFED_ROUNDS": "60"}), "ZFED_ROUNDS"),
        (inputs("[run]\nrounds = 60\n"), "zfed.toml:[run]"),
    ):
        resolved = resolve_resumed(said, BEGUN)
        assert (resolved.config.run.rounds, resolved.origins["run"]["rounds"]) == (60, origin)
        assert resolved.config.run.seed == 5


def test_where_a_start_writes_and_how_it_shows_itself_is_its_own():
    config = resolve_resumed(inputs(flags={"run": "runs/a"}), BEGUN).config
    assert (config.run.run, config.run.trace, config.report.format) == ("runs/a", "", "auto")


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (inputs(flags={"seed": "3"}), "--seed is 3, but the run was begun with 5 (runs/a/run.toml)"),
        (inputs(environment={"ZFED_SEED": "3"}), "ZFED_SEED is 3, but"),
        (inputs("[run]\nseed = 3\n"), "[run] seed in zfed.toml is 3, but"),
        (
            inputs("[train]\nbatches = 20\n"),
            "[train] batches in zfed.toml is 20, but the run was begun with 10",
        ),
        (
            inputs(assignments={"train": ["momentum=0.5"]}),
            "--train momentum is 0.5, but the run was begun without it",
        ),
        (
            inputs(assignments={"strategy": ["tau=0.5"]}),
            "--option tau is 0.5, but the run was begun without it",
        ),
        (
            inputs(flags={"compress_except": "a,b"}),
            '--compress-except is ["a", "b"], but the run was begun with []',
        ),
    ],
)
def test_another_value_for_what_makes_the_run_is_refused_with_both_and_the_way_out(said, message):
    with pytest.raises(ConfigError) as caught:
        resolve_resumed(said, BEGUN)
    assert str(caught.value).startswith(message)
    assert str(caught.value).endswith("leave it away, or begin another run with another --run")


def test_the_same_value_may_be_said_again():
    said = inputs("[run]\nseed = 5\n[train]\nbatches = 10\n", flags={"seed": "5"})
    assert resolve_resumed(said, BEGUN).origins["run"]["seed"] == "--seed"


def test_a_file_of_the_run_that_another_version_wrote_is_refused_by_its_name():
    begun = parse_document("[run]\nwarp = 9\n", "runs/a/run.toml")
    with pytest.raises(
        ConfigError, match=r'runs/a/run\.toml: \[run\] has no key "warp".*version of zfed that began it'
    ):
        resolve_resumed(inputs(), begun)


def test_a_key_that_an_older_version_did_not_write_has_its_default():
    resolved = resolve_resumed(inputs(), parse_document("", "runs/a/run.toml"))
    assert resolved.config == CoordinatorConfig()
    assert set(resolved.origins["run"].values()) == {"default"}


def test_a_configuration_made_by_a_program_is_held_to_the_run_as_well():
    begun = resolve_coordinator(Inputs(document=BEGUN)).config
    check_resumed(dataclasses.replace(begun, run=dataclasses.replace(begun.run, rounds=3, bind="")), BEGUN)
    with pytest.raises(ConfigError, match=r"\[run\] seed is 0, but .* 5 .*: give it that value, or begin"):
        check_resumed(dataclasses.replace(begun, run=RunConfig()), BEGUN)
    with pytest.raises(ConfigError, match=r"\[train\] batches is not there, but .* with 10"):
        check_resumed(dataclasses.replace(begun, train={}), BEGUN)


@pytest.mark.parametrize(
    "setting", [setting for table in COORDINATOR for setting in table.settings], ids=lambda s: s.flag
)
def test_every_setting_can_be_said_again_as_it_was(setting):
    begun = parse_document(coordinator_toml(CoordinatorConfig()), "run.toml")
    words = setting.arguments(setting.default)
    text = words[1] if len(words) == 2 else str(setting.default).lower()
    assert resolve_resumed(inputs(flags={setting.destination: text}), begun).config == CoordinatorConfig()


@given(st.integers(0, 9), st.integers(1, 9), st.none() | st.integers(0, 9), st.none() | st.integers(1, 9))
def test_a_resumed_run_has_what_was_said_or_what_it_had(seed, rounds, new_seed, new_rounds):
    begun = parse_document(
        coordinator_toml(CoordinatorConfig(run=RunConfig(seed=seed, rounds=rounds))), "run.toml"
    )
    said = {"seed": new_seed, "rounds": new_rounds}
    flags = {name: str(value) for name, value in said.items() if value is not None}
    if new_seed not in (None, seed):
        with pytest.raises(ConfigError):
            resolve_resumed(inputs(flags=flags), begun)
        return
    resumed = resolve_resumed(inputs(flags=flags), begun).config
    assert (resumed.run.seed, resumed.run.rounds) == (seed, rounds if new_rounds is None else new_rounds)
    check_resumed(resumed, begun)
