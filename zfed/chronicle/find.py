"""Finds the run that a person names."""

from __future__ import annotations

from pathlib import Path

from zfed.chronicle.overview import is_run, run_paths
from zfed.config import suggestion
from zfed.errors import UsageError


def find_run(name: str, root: Path) -> Path:
    """The directory of the run whose id, or path, this is.

    Raises:
        UsageError: If there is none; names the nearest.
    """
    for path in (root / name, Path(name)):
        if is_run(path):
            return path
    known = [path.name for path in run_paths(root)]
    raise UsageError(f'there is no run "{name}" in {root}; {suggestion(name, known)}')
