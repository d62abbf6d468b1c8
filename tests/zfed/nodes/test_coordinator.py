import subprocess
import sys
import threading
import time

import pytest

from zfed.checkpoint import read_health, read_journal
from zfed.config import CoordinatorConfig, EvaluateConfig, LimitsConfig, RunConfig, parse_document
from zfed.errors import ConfigError, UsageError
from zfed.identity import KeysFolder
from zfed.nodes.coordinator import Coordinator

HEAVY = {"torch", "torchvision", "numba", "matplotlib"}


def test_coordinator_loads_neither_torch_nor_numba():
    program = "import sys, zfed.nodes.coordinator; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout
    assert HEAVY.isdisjoint(loaded.split())
    assert "zmq" in loaded.split()


def test_without_a_key_nothing_begins_and_the_remedy_is_said(tmp_path):
    run = RunConfig(bind="tcp://127.0.0.1:*", run=str(tmp_path / "run"), keys=str(tmp_path / "keys"))
    with pytest.raises(UsageError, match="zfed keys new coordinator"):
        Coordinator(CoordinatorConfig(run=run)).run()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("insecure", [False, True])
def test_only_a_run_without_keys_is_unprotected(tmp_path, insecure):
    if not insecure:
        KeysFolder(tmp_path / "keys").new_key("coordinator")
    told = []
    run = RunConfig(
        bind="tcp://127.0.0.1:*", run=str(tmp_path / "run"), keys=str(tmp_path / "keys"), insecure=insecure
    )
    coordinator = Coordinator(CoordinatorConfig(run=run), observer=told.append)
    coordinator.stop("seen enough")
    assert coordinator.run().protected is not insecure
    assert told[0].protected is not insecure


@pytest.mark.parametrize(("name", "value"), [("weighting", "size"), ("strategy", "fedavgg")])
def test_rule_that_does_not_exist_is_refused_at_once(name, value):
    with pytest.raises(ConfigError, match=value):
        Coordinator(CoordinatorConfig(run=RunConfig(**{name: value})))


def test_frames_must_have_room_for_what_may_be_in_them():
    with pytest.raises(ConfigError, match="--max-frame 1MiB has no room for --max-chunk 1MiB"):
        Coordinator(CoordinatorConfig(limits=LimitsConfig(frame="1MiB")))


def test_an_evaluation_that_contradicts_itself_is_refused_before_anything_is_opened():
    config = CoordinatorConfig(evaluate=EvaluateConfig(patience=3))
    with pytest.raises(ConfigError, match="--patience 3 waits for a better version"):
        Coordinator(config)


def test_a_coordinator_at_work_says_how_it_is_and_leaves_no_sign_of_life_behind(tmp_path):
    folder = tmp_path / "run"
    coordinator = Coordinator(
        CoordinatorConfig(run=RunConfig(bind="tcp://127.0.0.1:*", run=str(folder), insecure=True))
    )
    at_work = threading.Thread(target=coordinator.run)
    at_work.start()
    until = time.monotonic() + 10.0
    while (health := read_health(folder)) is None:
        assert time.monotonic() < until, "no sign of life"
        time.sleep(0.01)
    coordinator.stop("enough")
    at_work.join()
    assert (health.run, health.admitting, health.encrypted, health.troubles) == ("run", True, False, [])
    assert read_health(folder) is None


def test_stop_before_the_start_ends_the_run_as_stopped(tmp_path):
    run = RunConfig(bind="tcp://127.0.0.1:*", run=str(tmp_path / "run"), insecure=True)
    coordinator = Coordinator(CoordinatorConfig(run=run))
    coordinator.stop("changed my mind")
    ended = coordinator.run()
    assert (ended.status, ended.reason, ended.model) == ("stopped", "changed my mind", "")


def stopped(folder, **run):
    """One start of a coordinator, which is stopped at once."""
    config = RunConfig(bind="tcp://127.0.0.1:*", run=str(folder), insecure=True, **run)
    coordinator = Coordinator(CoordinatorConfig(run=config))
    coordinator.stop("enough")
    return coordinator.run()


def test_a_run_that_a_program_began_is_resumed_by_it_and_keeps_its_configuration(tmp_path):
    folder = tmp_path / "run"
    stopped(folder, seed=3, rounds=2)
    stopped(folder, seed=3, rounds=4)
    starts = [line for line in read_journal(folder / "journal.jsonl").records if line["event"] == "started"]
    assert [(line["incarnation"], line["rounds"]) for line in starts] == [(1, 2), (2, 4)]
    begun = parse_document((folder / "run.toml").read_text(), "run.toml").tables["run"]
    assert (begun["seed"], begun["rounds"]) == (3, 2)


def test_a_program_cannot_make_another_run_of_the_one_that_is_there(tmp_path):
    folder = tmp_path / "run"
    stopped(folder, seed=3)
    before = (folder / "journal.jsonl").read_bytes()
    with pytest.raises(ConfigError, match=r"\[run\] seed is 4, but the run was begun with 3"):
        stopped(folder, seed=4)
    assert (folder / "journal.jsonl").read_bytes() == before
    assert stopped(folder, seed=3).reason == "enough"
