"""All targets by name; each is the `TARGET` of the module of its name."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import Final

from tests.fuzz.target import Target

NAMES: Final = tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))


def target(name: str) -> Target:
    """The target of this name; imported only now, so that an engine can prepare the modules it reads with."""
    found: Target = import_module(f"{__name__}.{name}").TARGET
    return found
