"""Without torch, as on a board that only coordinates, its tests are left out, and the report says so."""

from __future__ import annotations

from importlib.util import find_spec

NEEDS_TORCH = ["examples", "tools", "zfed/tasks", "zfed/torch"]
collect_ignore = [] if find_spec("torch") else NEEDS_TORCH


def pytest_report_header() -> list[str]:
    return [f"no torch here: left out are {', '.join(collect_ignore)}"] if collect_ignore else []
