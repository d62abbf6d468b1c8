import time

import pytest

from tests.free_port import free_port
from tests.processes import TASK
from zfed.facts import NodeEnrolled, RunEnded
from zfed.identity import KeysFolder, invite

pytestmark = pytest.mark.processes


@pytest.fixture
def keys(fleet):
    keys = KeysFolder(fleet.folder / "coordinator-keys")
    keys.new_key("coordinator")
    return keys


def coordinator(fleet, keys, bind, run, wait_for="alice"):
    flags = ("--rounds", 1, "--wait-for", wait_for, "--keys", keys.path)
    return fleet.coordinator(*flags, bind=bind, run=run, started=False)


def token(keys, name, address):
    return invite(keys, name, address=address, until=int(time.time()) + 3600).text


def device(fleet, name, token):
    """What a person types on a device, but for the task, which a file would name."""
    flags = ("--keys", fleet.folder / f"keys-of-{name}", "--task", TASK)
    return fleet.start("worker", "--invite", token, *flags, name=name)


def test_one_line_per_device_enrols_it_runs_it_and_runs_it_again(fleet, keys):
    bind = f"tcp://127.0.0.1:{free_port()}"
    one = token(keys, "alice", bind)
    for run in ("first", "second"):
        nodes = [coordinator(fleet, keys, bind, run), device(fleet, "alice", one)]
        assert [node.exit_code() for node in nodes] == [0, 0], nodes[0].report("good end")
        [ended] = nodes[0].told(RunEnded)
        assert (ended.status, ended.protected) == ("completed", True)
    enrolled = [(each.name, each.key) for each in keys.authorized_nodes.read().keys]
    assert enrolled == [("alice", KeysFolder(fleet.folder / "keys-of-alice").key("alice").public)]


def test_a_used_invitation_ends_another_device_with_the_sentence_and_exit_code_1(fleet, keys):
    bind = f"tcp://127.0.0.1:{free_port()}"
    one = token(keys, "alice", bind)
    coordinator(fleet, keys, bind, "run", wait_for="alice,bob")
    device(fleet, "first", one).awaited(NodeEnrolled)
    late = device(fleet, "second", one)
    assert late.exit_code() == 1
    assert "zfed: refused by the coordinator: the invitation for alice was used by another device" in (
        late.errors
    )
