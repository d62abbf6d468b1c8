import subprocess
import sys

import pytest

from zfed.config import CoordinatorConfig, RunConfig
from zfed.errors import ConfigError, UsageError
from zfed.nodes.coordinator import Coordinator

HEAVY = {"torch", "torchvision", "numba", "matplotlib"}


def test_coordinator_loads_neither_torch_nor_numba():
    program = "import sys, zfed.nodes.coordinator; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout
    assert HEAVY.isdisjoint(loaded.split())
    assert "zmq" in loaded.split()


@pytest.mark.parametrize(
    "address", ["tcp://0.0.0.0:8777", "tcp://*:8777", "tcp://10.0.0.1:8777", "tcp://[::]:1"]
)
def test_address_that_others_can_reach_needs_insecure(address):
    with pytest.raises(UsageError, match="--insecure"):
        Coordinator(CoordinatorConfig(run=RunConfig(bind=address)))
    Coordinator(CoordinatorConfig(run=RunConfig(bind=address, insecure=True)))


@pytest.mark.parametrize(("name", "value"), [("weighting", "size"), ("strategy", "fedavgg")])
def test_rule_that_does_not_exist_is_refused_at_once(name, value):
    with pytest.raises(ConfigError, match=value):
        Coordinator(CoordinatorConfig(run=RunConfig(**{name: value})))


def test_stop_before_the_start_ends_the_run_as_stopped(tmp_path):
    run = RunConfig(bind="tcp://127.0.0.1:*", run=str(tmp_path / "run"))
    coordinator = Coordinator(CoordinatorConfig(run=run))
    coordinator.stop("changed my mind")
    ended = coordinator.run()
    assert (ended.status, ended.reason, ended.model) == ("stopped", "changed my mind", "")
