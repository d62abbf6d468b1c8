from __future__ import annotations

import pytest

from zfed.config import NodeConfig, node_entries, parse_document
from zfed.errors import ConfigError

TWO = """
[[node]]
kind = "worker"
name = "alice"
labels = "0-3"
share_label_counts = true
set = {root = "data", depth = 2}

[[node]]
kind = "evaluator"
name = "eve"
"""


def entries(text: str):
    return node_entries(parse_document(text, "zfed.toml"))


def test_entries_keep_the_order_of_the_file():
    alice, eve = entries(TWO)
    assert (alice.kind, alice.config.name, alice.settings) == (
        "worker",
        "alice",
        {"root": "data", "depth": 2},
    )
    assert eve.config == NodeConfig(name="eve")


def test_arguments_say_only_what_differs_from_the_defaults():
    alice, eve = entries(TWO)
    assert eve.arguments() == ["evaluator", "--name", "eve"]
    assert alice.arguments() == [
        *("worker", "--name", "alice", "--labels", "0-3", "--share-label-counts"),
        *("--set", "root=data", "--set", "depth=2"),
    ]


def test_a_file_without_nodes_has_none():
    assert entries("[run]\n") == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[[node]]\nname = "a"\n', '[[node]] 1: no kind; write kind = "worker" or "evaluator"'),
        ('[[node]]\nkind = "workr"\n', "[[node]] 1: kind is 'workr'; did you mean \"worker\"?"),
        ('[[node]]\nkind = "worker"\n', "[[node]] 1: no name"),
        ('[[node]]\nkind = "worker"\nnam = "a"\n', '[[node]] 1 has no key "nam"; did you mean "name"?'),
        ('[[node]]\nkind = "worker"\nname = "a"\nset = 3\n', "set is not a table"),
        ('[node]\nname = "a"\n', "write one [[node]] for each worker and evaluator"),
        (TWO + '[[node]]\nkind = "worker"\nname = "eve"\n', 'two [[node]] tables have the name "eve"'),
    ],
)
def test_a_bad_entry_is_refused_by_its_number(text, message):
    with pytest.raises(ConfigError) as caught:
        entries(text)
    assert message in str(caught.value)
