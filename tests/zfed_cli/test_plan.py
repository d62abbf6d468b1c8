from __future__ import annotations

import pytest

from zfed.config import CoordinatorConfig, NodeConfig, NodeEntry, RunConfig
from zfed.errors import ConfigError
from zfed_cli.plan import connect_address, plan_processes


def entry(name: str, **settings) -> NodeEntry:
    return NodeEntry("worker", NodeConfig(name=name, **settings), {})


def test_the_coordinator_comes_first_and_nodes_connect_to_where_it_listens():
    config = CoordinatorConfig(run=RunConfig(bind="tcp://127.0.0.1:9000"))
    processes = plan_processes(config, [entry("alice", threads=2)], ["--rounds", "3"])
    assert [process.name for process in processes] == ["coordinator", "alice"]
    assert processes[0].arguments == ["coordinator", "--rounds", "3"]
    assert "--connect" in processes[1].arguments
    assert "tcp://127.0.0.1:9000" in processes[1].arguments
    assert processes[1].threads == 2


def test_a_node_that_names_an_address_keeps_it():
    config = CoordinatorConfig(run=RunConfig(bind="tcp://127.0.0.1:9000"))
    words = plan_processes(config, [entry("alice", connect="tcp://10.0.0.1:1")], [])[1].arguments
    assert words[words.index("--connect") + 1] == "tcp://10.0.0.1:1"


@pytest.mark.parametrize("bind", ["tcp://*:8777", "tcp://0.0.0.0:8777", "tcp://127.0.0.1:8777"])
def test_an_address_of_all_interfaces_is_reached_by_loopback(bind):
    assert connect_address(bind) == "tcp://127.0.0.1:8777"


def test_no_node_may_be_called_coordinator():
    with pytest.raises(ConfigError, match="may not have the name"):
        plan_processes(CoordinatorConfig(), [entry("coordinator")], [])
