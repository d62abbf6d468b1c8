"""How much memory this process may still take before something else has to go, as Linux tells it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

_KIB: Final = 1024
_UNLIMITED: Final = 1 << 60
"""Control groups of version 1 say "no limit" with a number close to 2^63."""


def free_memory(root: Path = Path("/")) -> int | None:
    """Bytes of MemAvailable, or what the control groups of this process leave if that is less.

    A page of a file that nobody uses counts as free: it is given up when memory is wanted. So a container's
    limit holds although the machine has more.

    Args:
        root: Where /proc and /sys are.

    Returns:
        None where the system does not say.
    """
    found = [_available(root), *_left_by_groups(root)]
    return min((size for size in found if size is not None), default=None)


def _available(root: Path) -> int | None:
    for line in _text(root / "proc/meminfo").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * _KIB
    return None


def _left_by_groups(root: Path) -> Iterator[int | None]:
    """What each control group above this process leaves: a limit holds for everything below it."""
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:
            yield from _left_above(
                root / "sys/fs/cgroup", path, "memory.max", "memory.current", "inactive_file"
            )
        elif "memory" in controllers.split(","):
            hierarchy = root / "sys/fs/cgroup/memory"
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            yield from _left_above(hierarchy, path, *names)


def _left_above(hierarchy: Path, path: str, limit: str, usage: str, unused: str) -> Iterator[int | None]:
    # In a container the own group is often mounted as the root: some folders of the path are not there then.
    group = hierarchy / path.lstrip("/")
    for folder in (group, *group.parents):
        if folder.is_relative_to(hierarchy):
            yield _left(folder, limit, usage, unused)


def _left(folder: Path, limit: str, usage: str, unused: str) -> int | None:
    allowed, used = _text(folder / limit).strip(), _text(folder / usage).strip()
    if not (allowed.isdecimal() and used.isdecimal()) or int(allowed) >= _UNLIMITED:
        return None
    counted = dict(line.split() for line in _text(folder / "memory.stat").splitlines())
    return max(0, int(allowed) - int(used) + int(counted.get(unused, 0)))


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
