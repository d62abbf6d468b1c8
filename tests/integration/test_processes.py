import os
import shutil
import signal
import subprocess
import time
from itertools import count
from pathlib import Path

import numpy as np
import orjson
import pytest
import zmq
from safetensors.numpy import load_file
from zmq.utils import z85

from tests.free_port import free_port
from tests.processes import enrol
from zfed.facts import (
    Connected,
    CoordinatorStarted,
    Disconnected,
    Evaluated,
    NodeJoined,
    NodeLeft,
    NodeRefused,
    NodeStarted,
    Progress,
    RoundCommitted,
    RoundOpened,
    RoundRetried,
    RunEnded,
    TaskFailed,
    UpdateRefused,
)
from zfed.identity import COORDINATOR, KeysFolder

pytestmark = pytest.mark.processes

NAMES = ["alice", "bob", "carol"]
STOPPED_WITHIN_S = 5.0


def ended(node):
    [fact] = node.told(RunEnded)
    return fact


# ---- a whole run ----------------------------------------------------------------------------------


def test_five_processes_train_evaluate_and_end_with_0_and_twice_the_same_bytes(fleet):
    models = []
    for run in ("first", "second"):
        coordinator = fleet.coordinator(
            *("--rounds", 3, "--wait-for", ",".join([*NAMES, "examiner"]), "--seed", 7),
            *("--evaluate-rounds", "1,3", "--evaluate-workers"),
            run=run,
        )
        nodes = [fleet.worker(name, "--partition", f"iid:{k}/3") for k, name in enumerate(NAMES, start=1)]
        nodes.append(fleet.evaluator())
        assert [node.exit_code() for node in [coordinator, *nodes]] == [0] * 5
        fact = ended(coordinator)
        assert (fact.status, fact.rounds_done, fact.evaluated) == ("completed", 3, True)
        lines = [orjson.loads(line) for line in Path(fact.metrics).read_bytes().splitlines()]
        assert [line["workers"] for line in lines if line["event"] == "round"] == [NAMES] * 3
        subjects = {(line["round"], line["subject"]) for line in lines if line["event"] == "evaluated"}
        assert subjects == {(number, subject) for number in (1, 3) for subject in [*NAMES, "federated"]}
        models.append(load_file(fact.model))
    first, second = models
    assert {name: array.tobytes() for name, array in first.items()} == {
        name: array.tobytes() for name, array in second.items()
    }


def test_compressed_links_of_several_levels_carry_one_run(fleet):
    levels = {"alice": ["--compress", "topk:0.5"], "bob": []}
    coordinator = fleet.coordinator(
        *("--rounds", 2, "--wait-for", "alice,bob,examiner"),
        *("--compress", "int8", "--compress-model", "bf16", "--evaluate-rounds", "2", "--evaluate-workers"),
    )
    nodes = [fleet.worker(name, *flags) for name, flags in levels.items()]
    evaluator = fleet.evaluator("--compress-model", "fp16")
    assert [node.exit_code() for node in [coordinator, *nodes, evaluator]] == [0] * 4
    assert ended(coordinator).status == "completed"
    joined = [node.told(Connected)[0] for node in [*nodes, evaluator]]
    assert [fact.compress for fact in joined] == ["topk:0.5", "int8", "none"]
    assert [fact.compress_model for fact in joined] == ["bf16", "bf16", "fp16"]
    assert [fact.workers for fact in coordinator.told(RoundCommitted)] == [["alice", "bob"]] * 2
    assert {fact.subject for fact in coordinator.told(Evaluated)} == {"alice", "bob", "federated"}


def test_bad_nodes_are_refused_or_left_out_and_the_run_goes_on(fleet):
    coordinator = fleet.coordinator("--rounds", 6, "--wait-for", "alice,bob,carol,dave")
    alice = fleet.worker("alice", pause_s=1.0)
    broken = fleet.worker("bob", fault="nan", fault_round=2)
    raising = fleet.worker("carol", fault="raise", fault_round=2)
    doomed = fleet.worker("dave", fault="raise")
    coordinator.awaited(RoundOpened, round=1)
    impostors = KeysFolder(fleet.folder / "impostors")
    enrol(fleet.keys, "mallory", impostors.new_key("alice"))
    impostor = fleet.worker("alice", "--keys", impostors.path)
    wider = fleet.worker("erin", width=999)
    stranger_was_told = say_hello_in_another_protocol(fleet)

    assert [node.exit_code() for node in (impostor, wider)] == [1, 1]
    assert "this key belongs to the node 'mallory', not to 'alice'" in ended(impostor).reason
    assert "tensor 'weight': shape (999,) here, (1000,) there" in ended(wider).reason
    assert stranger_was_told["code"] == "protocol"
    assert "'zfed/9' is not spoken here" in stranger_was_told["reason"]

    assert [node.exit_code() for node in (coordinator, alice, broken, raising, doomed)] == [0] * 5
    assert {fact.code for fact in coordinator.told(NodeRefused)} == {"key", "layout", "protocol"}
    [refused] = coordinator.told(UpdateRefused)
    assert "bob in round 2" in refused.reason
    assert "tensor 'weight' is nan at (7,)" in refused.reason
    assert broken.told(UpdateRefused, code="not-finite")
    assert "out of paper" in raising.told(TaskFailed)[0].traceback
    shortened = coordinator.told(TaskFailed, node="carol")[0]
    assert shortened.error == "RuntimeError: out of paper"
    assert len(coordinator.told(TaskFailed, node="dave")) == 6
    expected = [["alice", "bob", "carol"]] * 6
    expected[1] = ["alice"]
    assert [fact.workers for fact in coordinator.told(RoundCommitted)] == expected
    assert all(np.isfinite(array).all() for array in load_file(ended(coordinator).model).values())


def say_hello_in_another_protocol(fleet):
    """What an enrolled node of another version is told."""
    key = fleet.key("stranger")
    with zmq.Context() as context, context.socket(zmq.DEALER) as dealer:
        dealer.linger = 0
        dealer.curve_publickey = z85.encode(key.public.curve)
        dealer.curve_secretkey = z85.encode(key.curve_secret)
        dealer.curve_serverkey = z85.encode(fleet.key(COORDINATOR).public.curve)
        dealer.connect(fleet.address)
        dealer.send(orjson.dumps({"kind": "HELLO", "protocol": "zfed/9", "epoch": 0}))
        assert dealer.poll(5000)
        return orjson.loads(dealer.recv())


def test_killed_worker_is_let_in_again_or_left_out_and_another_joins_late(fleet):
    coordinator = fleet.coordinator("--rounds", 5, "--wait-for", 3, "--rejoin-grace", 1)
    alice = fleet.worker("alice", pause_s=0.5)
    bob, dave = (fleet.worker(name, pause_s=60.0) for name in ("bob", "dave"))
    for name in ("bob", "dave"):
        coordinator.awaited(Progress, node=name, stage="train")
    bob.process.kill()
    dave.process.kill()
    restarted = fleet.worker("bob", pause_s=0.1)
    late = fleet.worker("carol")
    assert [node.exit_code() for node in (coordinator, alice, restarted, late)] == [0] * 4
    first, *_, last = coordinator.told(RoundCommitted)
    assert first.missing[-1] == "dave (lost, and not back in time)"
    assert first.seconds < 10
    assert {fact.node for fact in coordinator.told(NodeLeft)} >= {"bob", "dave"}
    first_time, *again = [fact.rejoined for fact in coordinator.told(NodeJoined, node="bob")]
    assert not first_time
    assert again
    assert all(again)
    assert last.workers == NAMES


def test_too_few_workers_are_waited_for_then_named_and_the_model_is_kept(fleet):
    coordinator = fleet.coordinator(
        *("--rounds", 5, "--wait-for", 2, "--min-workers", 2, "--round-retries", 1),
        *("--round-timeout", 1, "--rejoin-grace", 0.5),
    )
    alice = fleet.worker("alice", fault="raise", fault_round=2)
    bob = fleet.worker("bob")
    assert coordinator.exit_code() == 1
    fact = ended(coordinator)
    assert (fact.status, fact.rounds_done, fact.version) == ("failed", 1, 1)
    assert "alice (its task failed: RuntimeError: out of paper)" in fact.reason
    assert "--min-workers" in fact.reason
    assert len(coordinator.told(RoundRetried)) == 1
    assert load_file(fact.model)["weight"].shape == (1000,)
    assert [node.exit_code() for node in (alice, bob)] == [0, 0]


def test_node_that_stays_takes_part_in_run_after_run(fleet):
    port = free_port()
    bind = f"tcp://127.0.0.1:{port}"
    alice = fleet.worker("alice", "--stay", connect=bind)
    for run in ("first", "second"):
        coordinator = fleet.coordinator("--rounds", 2, bind=bind, run=run)
        assert coordinator.exit_code() == 0
        assert ended(coordinator).rounds_done == 2
    alice.interrupt()
    assert alice.exit_code(STOPPED_WITHIN_S) == 130
    assert [fact.run for fact in alice.told(Connected)] == ["first", "second"]


# ---- bad input ------------------------------------------------------------------------------------


def test_what_cannot_start_says_why_and_exits_with_an_error(fleet):
    """All at once: they do not meet."""
    listening = fleet.coordinator("--wait-timeout", 60)
    unwritable = fleet.folder / "file"
    unwritable.write_text("not a folder")
    commands = {
        "in use": ("coordinator", "--bind", fleet.address, "--run", fleet.folder / "other"),
        "no key": ("coordinator", "--keys", fleet.folder / "none", "--run", fleet.folder / "open"),
        "directory": ("coordinator", "--bind", "tcp://127.0.0.1:*", "--run", unwritable / "run"),
        "there already": ("coordinator", "--bind", "tcp://127.0.0.1:*", "--run", fleet.folder / "run"),
    }
    nodes = {what: fleet.start(*words, name=what.replace(" ", "-")) for what, words in commands.items()}
    nodes["empty"] = fleet.worker("alice", "--labels", "42")
    nodes["setting"] = fleet.worker("bob", widht=3)
    nodes["nobody"] = fleet.worker("carol", "--connect-timeout", 2, connect=f"tcp://127.0.0.1:{free_port()}")
    said = {
        "in use": (1, "is in use, perhaps by another coordinator; choose another: --bind"),
        "no key": (2, "coordinator has no key in"),
        "directory": (1, "cannot make the run directory"),
        "there already": (1, "is in use by process"),
        "empty": (1, "alice has no examples"),
        "setting": (2, "width"),
    }
    for what, (code, message) in said.items():
        assert nodes[what].exit_code() == code, nodes[what].errors
        assert message in nodes[what].errors
        assert "Traceback" not in nodes[what].errors
    assert nodes["nobody"].exit_code() == 1
    assert "--connect-timeout" in ended(nodes["nobody"]).reason
    assert not (fleet.folder / "open").exists()
    assert listening.process.poll() is None


# ---- Ctrl-C ---------------------------------------------------------------------------------------


def test_ctrl_c_ends_each_kind_of_node_within_seconds_whatever_it_does(fleet):
    coordinator = fleet.coordinator("--rounds", 5, "--wait-for", "alice,bob,carol,examiner")
    evaluator = fleet.evaluator()
    training = fleet.worker("alice", pause_s=60.0)
    deaf = fleet.worker("bob", pause_s=8.0, fault="deaf")
    cancelled = fleet.worker("carol", pause_s=60.0)
    coordinator.awaited(Progress, node="alice", stage="train")
    coordinator.awaited(Progress, node="bob", stage="train")
    for node in (training, deaf, evaluator):
        node.interrupt()
    for node in (training, deaf, evaluator):
        assert node.exit_code(STOPPED_WITHIN_S) == 130, node.errors
        assert ended(node).status == "stopped"
        assert ended(node).reason.startswith("interrupted")
    left = {fact.node: fact.reason for fact in coordinator.told(NodeLeft)}
    assert left == {node.name.partition("-")[0]: ended(node).reason for node in (training, deaf, evaluator)}
    coordinator.interrupt()
    assert coordinator.exit_code(STOPPED_WITHIN_S) == 130
    assert ended(coordinator).status == "stopped"
    assert cancelled.exit_code(STOPPED_WITHIN_S) == 0


def test_ctrl_c_ends_nodes_that_wait_for_one_another(fleet):
    lonely = fleet.worker("alice", connect=f"tcp://127.0.0.1:{free_port()}")
    coordinator = fleet.coordinator("--wait-for", 2)
    lonely.awaited(NodeStarted)
    for node in (lonely, coordinator):
        node.interrupt()
        assert node.exit_code(STOPPED_WITHIN_S) == 130


def test_worker_notices_at_once_that_its_coordinator_was_killed_and_finds_the_next_one(fleet):
    coordinator = fleet.coordinator("--rounds", 5, "--wait-for", 2)
    alice = fleet.worker("alice")
    coordinator.awaited(NodeJoined, node="alice")
    coordinator.process.kill()
    killed_at = time.monotonic()
    alice.awaited(Disconnected)
    assert time.monotonic() - killed_at < 5.0  # silence alone would take 10
    second = fleet.coordinator("--rounds", 1, bind=fleet.address, run="second")
    assert [node.exit_code() for node in (second, alice)] == [0, 0]


def test_sigterm_ends_a_node_as_ctrl_c_does(fleet):
    coordinator = fleet.coordinator("--wait-for", 2)
    coordinator.process.send_signal(signal.SIGTERM)
    assert coordinator.exit_code(STOPPED_WITHIN_S) == 128 + signal.SIGTERM


# ---- two machines ---------------------------------------------------------------------------------

NAMESPACES = count(os.getpid() % 10_000 * 10)


@pytest.fixture
def two_machines():
    """Two network namespaces joined by a cable: prefixes of commands that run in each."""
    number = next(NAMESPACES)
    here, there = f"zfed-{number}-a", f"zfed-{number}-b"
    ends = f"zf{number}a", f"zf{number}b"
    if shutil.which("ip") is None:
        pytest.skip("the command ip is not installed")
    steps = [
        f"ip netns add {here}",
        f"ip netns add {there}",
        f"ip link add {ends[0]} netns {here} type veth peer name {ends[1]} netns {there}",
        f"ip -n {here} addr add 10.77.0.1/24 dev {ends[0]}",
        f"ip -n {there} addr add 10.77.0.2/24 dev {ends[1]}",
        *(f"ip -n {name} link set {device} up" for name, device in [(here, ends[0]), (there, ends[1])]),
        *(f"ip -n {name} link set lo up" for name in (here, there)),
    ]
    try:
        for step in steps:
            done = subprocess.run(step.split(), capture_output=True, text=True)
            if done.returncode:
                pytest.skip(f"no network namespaces here: {step}: {done.stderr.strip()}")
        yield [("ip", "netns", "exec", name) for name in (here, there)]
    finally:
        for name in (here, there):
            subprocess.run(["ip", "netns", "del", name], capture_output=True)


def test_coordinator_and_workers_work_across_two_machines(fleet, two_machines):
    here, there = two_machines
    coordinator = fleet.coordinator(
        *("--rounds", 3, "--wait-for", "alice,bob,examiner", "--evaluate-last"),
        bind="tcp://10.77.0.1:8777",
        before=here,
    )
    nodes = [fleet.worker(name, before=there) for name in ("alice", "bob")]
    nodes.append(fleet.evaluator(before=here))
    assert [node.exit_code() for node in [coordinator, *nodes]] == [0] * 4
    assert coordinator.told(CoordinatorStarted)[0].protected
    assert ended(nodes[0]).protected
    assert nodes[0].told(Connected)[0].announcements == []


def test_a_run_without_keys_says_so_on_both_sides(fleet):
    coordinator = fleet.coordinator("--rounds", 1, "--insecure")
    alice = fleet.worker("alice", "--insecure")
    assert [node.exit_code() for node in (coordinator, alice)] == [0, 0]
    assert not coordinator.told(CoordinatorStarted)[0].protected
    assert not ended(alice).protected
    assert "neither encrypted nor authenticated" in str(alice.told(Connected)[0].announcements)
