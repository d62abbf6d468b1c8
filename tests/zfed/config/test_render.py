from __future__ import annotations

from zfed.config import Inputs, coordinator_toml, node_toml, parse_document, resolve_coordinator, resolve_node

ZFED_TOML = """
[run]
rounds = 40
wait_for = 3
[train]
batches = 10
learning_rate = 0.1
[evaluate]
rounds = [1, 11]
groups = ["0-3", "4-6"]
"""


def test_a_rendered_configuration_resolves_to_the_same_one():
    config = resolve_coordinator(Inputs(document=parse_document(ZFED_TOML, "zfed.toml"))).config
    again = parse_document(coordinator_toml(config), "again.toml")
    assert resolve_coordinator(Inputs(document=again)).config == config


def test_a_rendered_node_resolves_to_the_same_one():
    text = '[node]\nname = "alice"\nconnect_timeout = 3\n[task]\nroot = "a b"\ndepth = 2\n'
    node = resolve_node(Inputs(document=parse_document(text, "worker.toml")))
    again = resolve_node(Inputs(document=parse_document(node_toml(node.config, node.settings), "again.toml")))
    assert (again.config, again.settings) == (node.config, node.settings)


def test_origins_stand_in_one_column_beside_the_values():
    resolved = resolve_coordinator(
        Inputs(flags={"seed": "7"}, document=parse_document(ZFED_TOML, "zfed.toml"))
    )
    lines = coordinator_toml(resolved.config, resolved.origins).splitlines()
    assignments = [line for line in lines if "=" in line]
    assert all("# " in line for line in assignments)
    columns = {line.rindex("# ") for line in assignments}
    assert len(columns) == 1
    assert any(line.startswith("seed = 7 ") and line.endswith("# --seed") for line in lines)
    assert any(line.startswith("batches = 10 ") and line.endswith("# zfed.toml:[train]") for line in lines)
    assert any(line.startswith("upload_slots = 8 ") and line.endswith("# default") for line in lines)
