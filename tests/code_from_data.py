"""Finds, in a module's source, what could turn data into code: by its syntax tree, so not in comments."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

MODULES: Final = frozenset(
    {
        *("pickle", "_pickle", "cPickle", "marshal", "shelve", "dbm", "copyreg", "code", "codeop"),
        *("cloudpickle", "dill", "joblib", "jsonpickle", "yaml", "ruamel", "multiprocessing", "xmlrpc"),
    }
)
"""Nobody imports these: they make objects, code or processes of bytes."""

CALLS: Final = frozenset(
    {
        *("eval", "exec", "compile", "__import__", "input", "breakpoint"),
        *("os.system", "os.popen", "os.execv", "os.execvp", "os.execve", "os.spawnv", "os.posix_spawn"),
        *("subprocess.getoutput", "subprocess.getstatusoutput", "asyncio.create_subprocess_shell"),
        *("torch.jit.load", "torch.hub.load", "torch.package.PackageImporter", "torch.ops.load_library"),
        *(
            "runpy.run_path",
            "runpy.run_module",
            "types.FunctionType",
            "types.CodeType",
            "shutil.unpack_archive",
        ),
        *("zmq.Socket.recv_pyobj", "zmq.Socket.send_pyobj", "imp.load_source"),
    }
)
"""Nobody calls these."""

METHODS: Final = frozenset(
    {"recv_pyobj", "send_pyobj", "recv_serialized", "send_serialized", "extract", "extractall"}
)
"""Nobody calls these of whatever object."""

CONSTANT: Final = {
    "importlib.import_module": "module",
    "ctypes.CDLL": "name",
    "ctypes.cdll.LoadLibrary": "name",
}
"""Calls whose first argument must stand in the source: which module or library is loaded is not computed."""

SAFE_IF: Final = {
    "torch.load": ("weights_only", True),
    "numpy.load": ("allow_pickle", False),
    "numpy.save": ("allow_pickle", False),
}
"""Calls that need an argument, given as a constant."""


def found(source: str) -> Iterator[tuple[int, str]]:
    """Line and name of everything in a module's source that could make code of data."""
    tree = ast.parse(source)
    names = dict(_imported(tree))
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            for module in _modules(node):
                if module.partition(".")[0] in MODULES:
                    yield node.lineno, module
        elif isinstance(node, ast.Call) and (fault := _fault(node, names)):
            yield node.lineno, fault


def _fault(call: ast.Call, names: dict[str, str]) -> str:
    name = _dotted(call.func, names)
    constants = {word.arg: word.value.value for word in call.keywords if isinstance(word.value, ast.Constant)}
    if name in CALLS or (isinstance(call.func, ast.Attribute) and call.func.attr in METHODS):
        return name or f"...{call.func.attr}" if isinstance(call.func, ast.Attribute) else name
    if name in CONSTANT and not (call.args and isinstance(call.args[0], ast.Constant)):
        return f"{name} of a computed {CONSTANT[name]}"
    if name in SAFE_IF:
        word, value = SAFE_IF[name]
        return "" if constants.get(word) is value else f"{name} without {word}={value}"
    if any(word.arg == "shell" and constants.get("shell") is not False for word in call.keywords):
        return f"{name} with a shell"
    if isinstance(call.func, ast.Attribute) and call.func.attr == "exec_module":
        return "exec_module"
    return ""


def _imported(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """What each imported name means."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield (alias.asname, alias.name) if alias.asname else (alias.name.partition(".")[0],) * 2
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                yield alias.asname or alias.name, f"{node.module}.{alias.name}"


def _modules(node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [f"{node.module}.{alias.name}" for alias in node.names] if node.module and not node.level else []


def _dotted(node: ast.expr, names: dict[str, str]) -> str:
    """The full name of what is called, as `numpy.load`; empty if it is no name."""
    if isinstance(node, ast.Name):
        return names.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        inner = _dotted(node.value, names)
        return f"{inner}.{node.attr}" if inner else ""
    return ""
