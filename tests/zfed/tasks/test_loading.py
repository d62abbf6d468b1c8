import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from zfed.errors import ConfigError, TaskError
from zfed.tasks import BUILT_IN_TASKS, load_task

TASK = """
from dataclasses import dataclass
from zfed.task import Task
from neighbour import WIDTH

@dataclass
class Options:  # a dataclass needs its module in sys.modules
    width: int = WIDTH

class Mine(Task):
    def __init__(self, width: int, *, rate: float = 0.5, deep: bool = False, path: str = "",
                 limit: int | None = None, extra=None):
        self.values = dict(width=width, rate=rate, deep=deep, path=path, limit=limit, extra=extra)
    def prepare(self, setup): ...
    def initial_parameters(self, context): ...
    def train(self, parameters, context): ...
    def evaluate(self, parameters, context): ...

class Open(Mine):
    def __init__(self, **options):
        self.values = options

class Unfinished(Task):
    pass

class Picky(Mine):
    def __init__(self):
        raise ValueError("never content")

NotATask = 7
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "my_task.py").write_text(TASK)
    (tmp_path / "neighbour.py").write_text("WIDTH = 3\n")
    (tmp_path / "broken.py").write_text("1 / 0\n")
    monkeypatch.setattr(sys, "path", list(sys.path))
    modules = dict(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - set(modules):
        if name in ("my_task", "neighbour", "zfed_task_my_task"):
            del sys.modules[name]


def mine(folder: Path, name: str = "Mine", **settings: object) -> dict[str, object]:
    return load_task(f"{folder}/my_task.py:{name}", settings).values  # type: ignore[attr-defined, no-any-return]


@pytest.mark.parametrize("name", BUILT_IN_TASKS)
def test_every_built_in_task_loads_with_its_defaults(name: str) -> None:
    task = load_task(name, {})
    assert f"{type(task).__module__}:{type(task).__name__}" == BUILT_IN_TASKS[name]


def test_nothing_is_imported_before_it_is_asked_for() -> None:
    program = (
        "import sys, zfed.tasks; sys.exit('torch' in sys.modules or 'zfed.tasks.softmax' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_a_file_is_a_task_and_finds_its_neighbours(folder: Path) -> None:
    assert mine(folder, width=2)["width"] == 2


def test_a_module_in_the_current_folder_is_a_task(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert load_task("my_task:Mine", {"width": 4}).values["width"] == 4  # type: ignore[attr-defined]


def test_text_is_read_as_the_annotation_says(folder: Path) -> None:
    given = {"width": "2", "rate": "1e-3", "deep": "true", "path": "7", "limit": "9", "extra": "1"}
    assert mine(folder, **given) == {
        "width": 2,
        "rate": 0.001,
        "deep": True,
        "path": "7",
        "limit": 9,
        "extra": "1",
    }


def test_values_from_a_file_keep_their_types(folder: Path) -> None:
    values = mine(folder, width=2, rate=1, deep=False, limit=None, extra=[1])
    assert values["rate"] == 1.0
    assert isinstance(values["rate"], float)
    assert values["extra"] == [1]


def test_a_task_that_takes_anything_gets_it(folder: Path) -> None:
    assert mine(folder, "Open", anything="goes") == {"anything": "goes"}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"width": 1, "rat": 2}, "no setting 'rat'; did you mean \"rate\""),
        ({}, "needs the setting 'width': --set width=VALUE"),
        ({"width": "wide"}, "width is 'wide', expected an integer"),
        ({"width": "1.5"}, "expected an integer"),
        ({"width": True}, "width is True, expected an integer"),
        ({"width": 1, "deep": "yes"}, "expected true or false"),
        ({"width": 1, "limit": "none"}, "expected an integer or nothing"),
        ({"width": 1, "path": 3}, "path is 3, expected text"),
    ],
)
def test_wrong_settings_are_refused_with_what_would_be_right(
    folder: Path, settings: dict[str, object], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        mine(folder, **settings)


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("mnits", "unknown task 'mnits'; did you mean \"mnist\""),
        ("my_task.py", "add the name of its class, as my_task.py:MyTask"),
        ("none.py:Mine", "no task file none.py"),
        ("nowhere:Mine", "importing nowhere failed: ModuleNotFoundError"),
        ("my_task.py:Mime", "has no class 'Mime'; did you mean \"Mine\""),
        ("my_task.py:NotATask", "must be a class derived from zfed.task.Task"),
        ("my_task.py:Options", "must be a class derived from"),
        ("my_task.py:Unfinished", "abstract method"),
        ("my_task.py:Picky", "making it failed: ValueError: never content"),
        ("broken.py:Mine", "importing broken.py failed: ZeroDivisionError"),
    ],
)
def test_a_task_that_cannot_be_made_is_refused_with_the_reason(
    folder: Path, monkeypatch: pytest.MonkeyPatch, reference: str, words: str
) -> None:
    monkeypatch.chdir(folder)
    with pytest.raises(TaskError, match=words):
        load_task(reference, {})


def test_a_missing_framework_is_named_with_the_way_to_get_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "needs_torch.py").write_text("import torch\n")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(TaskError, match="needs PyTorch, which is not installed"):
        load_task(f"{folder}/needs_torch.py:Mine", {})
