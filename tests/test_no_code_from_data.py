"""Nothing that comes from a network or a file is ever run: see docs/threat-model.md."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.code_from_data import found

ROOT = Path(__file__).parents[1]
FOLDERS = ("zfed", "cli/zfed_cli", "native_kernels/zfed_kernels")
SOURCES = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for folder in FOLDERS
    for path in sorted((ROOT / folder).rglob("*.py"))
}

ALLOWED = {
    ("zfed/__init__.py", "importlib.import_module of a computed module"): "a name of its own table",
    ("zfed/plugins.py", "importlib.import_module of a computed module"): "the user's own --task, --strategy",
    ("zfed/plugins.py", "exec_module"): "the user's own --task, --strategy",
}
"""Where code is loaded by a name that does not stand in the source, and whose word that name is."""


def test_no_source_makes_code_of_data_but_where_it_is_said_why():
    faults = {(name, fault) for name, source in SOURCES.items() for _, fault in found(source)}
    assert faults == set(ALLOWED)


def test_a_task_is_loaded_for_the_command_line_and_nobody_else():
    trees = {name: ast.parse(source) for name, source in SOURCES.items() if "load_task" in source}
    importers = {name for name, tree in trees.items() if _calls(tree, "load_task")}
    assert importers == {"zfed/nodes/member.py", "zfed/race/race.py"}
    [call] = _calls(trees["zfed/race/race.py"], "load_task")
    assert ast.unparse(call.args[0]) == "plan.task", "what the person who simulates has said"
    member = trees["zfed/nodes/member.py"]
    [loader] = [node.name for node in member.body if _calls(node, "load_task")]
    [call] = _calls(member, loader)
    assert ast.unparse(call.args[0]) == "config.task", "its own setting, read before it connects to anybody"


def test_a_strategy_is_loaded_for_the_configuration_and_nobody_else():
    name = "configured_strategy"
    calls = {
        path: [ast.unparse(call) for call in _calls(ast.parse(source), name)]
        for path, source in SOURCES.items()
        if f"{name}(" in source
    }
    assert {path: found for path, found in calls.items() if found} == {
        "zfed/nodes/coordinator.py": ["configured_strategy(config)"],
        "zfed/race/heat.py": ["configured_strategy(entrant.config)"],
        "zfed/race/race.py": ["configured_strategy(entrant.config)"],
        "zfed/simulation/coordinator.py": ["configured_strategy(config)"],
    }


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from multiprocessing import Queue",
        "def f(x):\n    import yaml",
        "eval(x)",
        "__import__(x)",
        "import os as o\no.system(x)",
        "from importlib import import_module as load\nload(x)",
        "import importlib\nimportlib.import_module(f'zfed.{x}')",
        "import torch\ntorch.load(x)",
        "import torch\ntorch.load(x, weights_only=False)",
        "from torch import load\nload(x, weights_only=maybe)",
        "import numpy as np\nnp.load(x)",
        "import numpy as np\nnp.load(x, allow_pickle=True)",
        "import subprocess\nsubprocess.run(x, shell=True)",
        "import subprocess\nsubprocess.run(x, shell=y)",
        "import ctypes\nctypes.CDLL(x)",
        "archive.extractall(x)",
        "socket.recv_pyobj()",
        "spec.loader.exec_module(x)",
    ],
)
def test_what_could_make_code_of_data_is_found(source):
    assert list(found(source))


@pytest.mark.parametrize(
    "source",
    [
        "# pickle\n'eval(x)'",
        "model.eval()",
        "import re\nre.compile(x)",
        "import importlib\nimportlib.import_module('torchvision')",
        "import torch\ntorch.load(x, weights_only=True)",
        "import numpy as np\nnp.load(x, allow_pickle=False)",
        "import ctypes\nctypes.CDLL(None)",
        "import subprocess\nsubprocess.run([x])",
    ],
)
def test_what_only_looks_like_it_is_not(source):
    assert not list(found(source))


def _calls(tree: ast.AST, name: str) -> list[ast.Call]:
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == name]
