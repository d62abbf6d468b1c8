"""Importing torchvision beside a build of torch for which it was not compiled."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

_MISSING_OPERATOR = "operator torchvision::nms does not exist"
_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"

_declared: list[Any] = []  # a schema lives only as long as the library object that declared it


def import_torchvision() -> ModuleType | None:
    """Import torchvision; None if it, or torch, is not installed.

    The registry's torchvision is compiled against torch with CUDA. Beside the CPU build its compiled
    operators do not load, and the import fails at the first Python function registered for one of them. Data
    sets, transforms and classifiers use none: it is enough to declare the schemas of two operators. That is
    done only on exactly that error; any other passes through.
    """
    try:
        return importlib.import_module("torchvision")
    except ImportError:
        return None
    except RuntimeError as error:
        if str(error) != _MISSING_OPERATOR:
            raise
    _declare_operators()
    return importlib.import_module("torchvision")


def _declare_operators() -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        del sys.modules[name]  # half-imported
    library = importlib.import_module("torch").library.Library("torchvision", "FRAGMENT")
    for operator in ("nms", "qnms"):
        library.define(operator + _SCHEMA)
    _declared.append(library)
