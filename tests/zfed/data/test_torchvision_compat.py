from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

from zfed.data.torchvision_compat import import_torchvision


def run_python(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_data_sets_transforms_and_classifiers_work():
    pytest.importorskip("torch")
    if importlib.util.find_spec("torchvision") is None:
        pytest.skip("torchvision is not installed")
    # a fresh interpreter: here it may have been imported already
    program = """
from zfed.data import import_torchvision
first = import_torchvision()
from torchvision import datasets, models, transforms
print(first is import_torchvision(), datasets.KMNIST.__name__, models.resnet18.__name__)
"""
    assert run_python(program) == "True KMNIST resnet18"


def test_none_where_it_is_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchvision", None)
    assert import_torchvision() is None


def test_any_other_error_passes_through(tmp_path, monkeypatch):
    (tmp_path / "torchvision").mkdir()
    (tmp_path / "torchvision" / "__init__.py").write_text("raise RuntimeError('broken otherwise')")
    monkeypatch.delitem(sys.modules, "torchvision", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(RuntimeError, match="broken otherwise"):
        import_torchvision()


def test_importing_the_package_imports_no_torch():
    assert run_python("import sys, zfed.data; print('torch' in sys.modules)") == "False"
