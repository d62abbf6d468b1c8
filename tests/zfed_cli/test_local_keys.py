import time

from zfed.config import NodeConfig, NodeEntry
from zfed.identity import COORDINATOR, KeysFolder
from zfed_cli.local_keys import with_new_keys

ENTRIES = [
    NodeEntry("worker", NodeConfig(name="alice", labels="0-3"), {"root": "data"}),
    NodeEntry("evaluator", NodeConfig(name="eve", keys="/mine", coordinator_key="mine"), {}),
]


def test_every_node_has_a_key_that_the_coordinator_lets_in_and_knows_the_coordinators(tmp_path):
    folder = KeysFolder(tmp_path / "keys")
    alice, eve = with_new_keys(ENTRIES, folder)
    roster = folder.roster_files.roster(time.time())
    for entry in (alice, eve):
        enrolled = roster.find(folder.key(entry.config.name).public.key_id)
        assert (enrolled.node, enrolled.objection) == (entry.config.name, "")
        assert entry.config.keys == str(folder.path)
        assert entry.config.coordinator_key == folder.key(COORDINATOR).public.text


def test_all_else_of_a_node_stays_as_it_is(tmp_path):
    alice, _ = with_new_keys(ENTRIES, KeysFolder(tmp_path / "keys"))
    assert (alice.kind, alice.config.labels, alice.settings) == ("worker", "0-3", {"root": "data"})
