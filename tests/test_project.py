"""Claims that the project's files make about one another."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from zfed.config import Inputs, node_entries, parse_document, resolve_coordinator, resolve_node

ROOT = Path(__file__).parents[1]
FIVE = ROOT / "examples" / "five-terminals"
EXAMPLES = sorted((ROOT / "examples").rglob("zfed.toml"))


def document(path: Path):
    return parse_document(path.read_text(encoding="utf-8"), path.name)


def test_the_five_terminals_and_launch_start_the_same_nodes():
    launched = {entry.config.name: entry.config for entry in node_entries(document(FIVE / "zfed.toml"))}
    by_hand = {
        path.stem: resolve_node(Inputs(document=document(path))).config
        for path in FIVE.glob("*.toml")
        if path.name != "zfed.toml"
    }
    assert by_hand == launched


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)
def test_every_examples_configuration_resolves(path):
    resolve_coordinator(Inputs(document=document(path)))
    node_entries(document(path))


def test_every_make_target_that_a_page_names_exists():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in ("README.md", "CONTRIBUTING.md"):
        named = set(re.findall(r"\bmake ([a-z]+(?:-[a-z]+)*)\b", (ROOT / page).read_text()))
        assert named <= targets, page


def test_every_link_of_the_readme_leads_somewhere():
    links = re.findall(r"\]\(([^)#:]+)\)", (ROOT / "README.md").read_text())
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_alone_lists_every_target():
    listed = subprocess.run(["make", "-C", str(ROOT)], capture_output=True, text=True, check=True).stdout
    described = re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert re.findall(r"^  make ([a-z-]+) ", listed, re.MULTILINE) == described


@pytest.mark.parametrize("module", ["zfed.nodes.coordinator"])
def test_a_coordinator_loads_neither_torch_nor_numba(module):
    script = f"import sys, {module}; print(sorted({{'torch', 'torchvision', 'numba'}} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
