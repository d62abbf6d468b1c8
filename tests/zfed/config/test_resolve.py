from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zfed.config import Inputs, parse_document, resolve_coordinator, resolve_node
from zfed.errors import ConfigError


def inputs(text: str = "", *, flags=None, environment=None, assignments=None) -> Inputs:
    return Inputs(
        flags=flags or {},
        assignments=assignments or {},
        environment=environment or {},
        document=parse_document(text, "zfed.toml"),
    )


def test_a_flag_beats_the_environment_which_beats_the_file_which_beats_the_default():
    file = "[run]\nrounds = 3\nseed = 3\nmin_workers = 3\n"
    environment = {"ZFED_ROUNDS": "2", "ZFED_SEED": "2"}
    resolved = resolve_coordinator(inputs(file, flags={"rounds": "1"}, environment=environment))
    run, origins = resolved.config.run, resolved.origins["run"]
    assert (run.rounds, run.seed, run.min_workers, run.upload_slots) == (1, 2, 3, 8)
    assert [origins[key] for key in ("rounds", "seed", "min_workers", "upload_slots")] == [
        "--rounds",
        "ZFED_SEED",
        "zfed.toml:[run]",
        "default",
    ]


def test_every_value_has_an_origin():
    resolved = resolve_coordinator(inputs("[train]\nbatches = 10\n"))
    for name, table in (("run", resolved.config.run), ("evaluate", resolved.config.evaluate)):
        assert len(resolved.origins[name]) == len(vars(table))
    assert resolved.origins["train"] == {"batches": "zfed.toml:[train]"}


def test_an_empty_variable_counts_as_not_set():
    assert resolve_coordinator(inputs(environment={"ZFED_ROUNDS": ""})).config.run.rounds == 10


def test_evaluate_has_its_own_prefix_so_that_its_rounds_are_not_the_runs():
    resolved = resolve_coordinator(
        inputs(flags={"evaluate_rounds": "1,11"}, environment={"ZFED_EVALUATE_WORKERS": "yes"})
    )
    assert resolved.config.evaluate.rounds == [1, 11]
    assert resolved.config.evaluate.workers is True
    assert resolved.config.run.rounds == 10


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[run]\nronds = 3\n", 'zfed.toml: [run] has no key "ronds"; did you mean "rounds"?'),
        ("[run]\ngroups = []\n", 'zfed.toml: [run] has no key "groups"; it belongs in [evaluate]'),
        ("[evalute]\n", 'zfed.toml: unknown table [evalute]; did you mean "evaluate"?'),
        ("[task]\n", "zfed.toml: unknown table [task]"),
        ("run = 3\n", "zfed.toml: run is not a table; write [run] above its keys"),
        ("[run]\nrounds = 0\n", "zfed.toml: [run] rounds: expected a whole number, at least 1; seen 0"),
        ("[run]\nrounds = true\n", "zfed.toml: [run] rounds: expected a whole number, at least 1; seen True"),
        ("[run]\nrounds = 2.5\n", "zfed.toml: [run] rounds: expected a whole number, at least 1; seen 2.5"),
        ("[run]\nround_timeout = inf\n", "expected a number, more than 0; seen inf"),
        ("[run]\nweighting = 'equl'\n", 'one of examples, equal; seen "equl"; did you mean "equal"?'),
        ("[evaluate]\nrounds = [1, 0]\n", "expected a list of whole numbers, each at least 1; seen [1, 0]"),
        ("[evaluate]\nrounds = 4\n", "expected a list of whole numbers, each at least 1; seen 4"),
        ("[evaluate]\ngroups = ['0-3', 4]\n", "expected a list of texts; seen ['0-3', 4]"),
    ],
)
def test_a_bad_file_is_refused_with_what_was_seen_and_what_is_allowed(text, message):
    with pytest.raises(ConfigError) as caught:
        resolve_coordinator(inputs(text))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"rounds": "ten"}, '--rounds: expected a whole number, at least 1; seen "ten"'),
        ({"rejoin_grace": "nan"}, '--rejoin-grace: expected a number, at least 0; seen "nan"'),
        ({"insecure": "perhaps"}, '--insecure: expected true or false; seen "perhaps"'),
        (
            {"evaluate_rounds": "1,x"},
            '--evaluate-rounds: expected a list of whole numbers, each at least 1; seen "1,x"',
        ),
        ({"evaluate_rounds": "[1"}, "--evaluate-rounds: expected a list"),
    ],
)
def test_a_bad_flag_is_refused_by_its_name(flags, message):
    with pytest.raises(ConfigError) as caught:
        resolve_coordinator(inputs(flags=flags))
    assert message in str(caught.value)


def test_a_file_that_is_not_toml_is_refused_by_name_and_line():
    with pytest.raises(ConfigError, match=r"zfed\.toml: not valid TOML: .*line 2"):
        inputs("[run]\nrounds =\n")


def test_wait_for_may_be_a_number_or_a_list_of_names():
    assert resolve_coordinator(inputs("[run]\nwait_for = 3\n")).config.run.wait_for == "3"
    names = resolve_coordinator(inputs("[run]\nwait_for = ['alice', 'bob']\n")).config.run.wait_for
    assert names == "alice,bob"
    with pytest.raises(ConfigError, match=r"expected text; seen 2\.5"):
        resolve_coordinator(inputs("[run]\nwait_for = 2.5\n"))


def test_a_whole_number_is_a_number_too():
    timeout = resolve_coordinator(inputs("[run]\nround_timeout = 30\n")).config.run.round_timeout_s
    assert timeout == 30.0
    assert isinstance(timeout, float)


def test_train_takes_values_of_any_type_and_a_flag_replaces_one_of_them():
    resolved = resolve_coordinator(
        inputs(
            "[train]\nbatches = 10\noptimizer = 'sgd'\n",
            assignments={"train": ["batches=50", "rule=plain text"]},
        )
    )
    assert resolved.config.train == {"batches": 50, "optimizer": "sgd", "rule": "plain text"}
    assert resolved.origins["train"]["batches"] == "--train"


def test_options_of_the_strategy_are_a_free_table_too():
    resolved = resolve_coordinator(
        inputs("[strategy]\ntau = 0.5\n", assignments={"strategy": ["beta2=0.9"], "train": ["tau=1"]})
    )
    assert resolved.config.strategy == {"tau": 0.5, "beta2": 0.9}
    assert resolved.origins["strategy"] == {"tau": "zfed.toml:[strategy]", "beta2": "--option"}


@pytest.mark.parametrize("assignment", ["batches", "=3", " =3"])
def test_an_assignment_without_key_or_value_is_refused(assignment):
    with pytest.raises(ConfigError, match="is not key=value"):
        resolve_coordinator(inputs(assignments={"train": [assignment]}))


def test_a_coordinator_ignores_node_tables_but_a_worker_refuses_them():
    text = '[[node]]\nkind = "worker"\nname = "alice"\n'
    resolve_coordinator(inputs(text))
    with pytest.raises(ConfigError, match=r"\[\[node\]\] tables are for zfed launch and zfed demo"):
        resolve_node(inputs(text))


def test_task_settings_keep_their_toml_types_and_stay_text_from_a_flag():
    resolved = resolve_node(
        inputs("[task]\ndepth = 2\nroot = 'a'\n", assignments={"task": ["root=b", "depth=3"]})
    )
    assert resolved.settings == {"depth": "3", "root": "b"}
    assert resolve_node(inputs("[task]\ndepth = 2\n")).settings == {"depth": 2}


def test_labels_may_be_a_list_of_numbers():
    assert resolve_node(inputs("[node]\nlabels = [0, 2]\n")).config.labels == "0,2"


@given(st.lists(st.integers(min_value=1, max_value=10**6)))
def test_a_list_reads_the_same_from_a_flag_and_from_toml(rounds):
    from_toml = resolve_coordinator(inputs(f"[evaluate]\nrounds = {rounds}\n"))
    plain = resolve_coordinator(inputs(flags={"evaluate_rounds": ",".join(map(str, rounds))}))
    bracketed = resolve_coordinator(inputs(flags={"evaluate_rounds": str(rounds)}))
    assert from_toml.config.evaluate.rounds == rounds
    assert plain.config == bracketed.config == from_toml.config
