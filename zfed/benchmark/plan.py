"""What is measured: how large a model, how many workers, how often, and where its files go."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from zfed.config import RunConfig
from zfed.config.sizes import parse_size
from zfed.errors import ConfigError, UsageError

MEMORY_FOLDER: Final = Path("/dev/shm")
UNCOUNTED_ROUNDS: Final = 2
"""The first and the last round of each block: with them go start-up, page faults and farewells."""

LEAST_BYTES: Final = 8
"""The echo task needs two numbers."""

_ITEM_BYTES = 4  # the echo task's model is float32
_MEMORY_FILE_SYSTEMS = ("tmpfs", "ramfs")
_MOUNTS = Path("/proc/self/mounts")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A benchmark, checked.

    Attributes:
        model_bytes: Size of the model, a multiple of 4.
        workers: Worker processes.
        rounds: Rounds counted in each block; two more are run.
        blocks: How many blocks each side runs, in turn.
        folder: Where run directories are made, and removed.
        durable: True if that is on a disk; then the raw sockets write and sync their model, too.
    """

    model_bytes: int
    workers: int
    rounds: int
    blocks: int
    folder: Path
    durable: bool

    @property
    def length(self) -> int:
        """Numbers in the model."""
        return self.model_bytes // _ITEM_BYTES

    @property
    def rounds_run(self) -> int:
        """Rounds of a block, counted or not."""
        return self.rounds + UNCOUNTED_ROUNDS


def make_plan(size: str, *, workers: int, rounds: int, blocks: int, folder: Path | None = None) -> Plan:
    """Check what a person asked for.

    Args:
        size: Of the model, as 200MB.
        workers: At least 1.
        rounds: At least 1.
        blocks: At least 1.
        folder: Where to write; default: in memory where /dev/shm is, else the current folder.

    Raises:
        ConfigError: If a number is out of range or the size is none.
        UsageError: If the folder is none, or has no room for the models of one block.
    """
    asked_bytes = parse_size(size)
    for name, value, least in (
        ("size", asked_bytes, LEAST_BYTES),
        ("workers", workers, 1),
        ("rounds", rounds, 1),
        ("blocks", blocks, 1),
    ):
        if value < least:
            raise ConfigError(f"{name} is {value}, expected at least {least}")
    folder = folder or (MEMORY_FOLDER if MEMORY_FOLDER.is_dir() else Path())
    plan = Plan(
        model_bytes=asked_bytes // _ITEM_BYTES * _ITEM_BYTES,
        workers=workers,
        rounds=rounds,
        blocks=blocks,
        folder=folder,
        durable=not in_memory(folder),
    )
    _check_room(plan)
    return plan


def in_memory(folder: Path) -> bool:
    """True if what is written there only takes memory; False where the system does not say."""
    try:
        mounts = [line.split()[1:3] for line in _MOUNTS.read_text().splitlines()]
    except OSError:
        return False
    place = folder.resolve()
    # The last first: of two mounts on the same point, the later hides the earlier.
    above = [(point, kind) for point, kind in reversed(mounts) if place.is_relative_to(point)]
    _, kind = max(above, key=lambda mount: len(Path(mount[0]).parts))
    return kind in _MEMORY_FILE_SYSTEMS


def _check_room(plan: Plan) -> None:
    # A run keeps its newest models, and one more while it writes; raw sockets, on a disk only, keep all.
    models = plan.rounds_run if plan.durable else min(plan.rounds_run, RunConfig().keep_models) + 1
    needed = models * plan.model_bytes
    try:
        free = shutil.disk_usage(plan.folder).free
        tempfile.TemporaryDirectory(dir=plan.folder).cleanup()
    except OSError as error:
        raise UsageError(
            f"cannot write to {plan.folder}: {error.strerror}; choose another --run-directory"
        ) from None
    if needed > free:
        raise UsageError(
            f"{models} models of {plan.model_bytes / 1e6:,.1f} MB need {needed / 1e6:,.0f} MB in "
            f"{plan.folder}, {free / 1e6:,.0f} MB are free; choose a smaller --size, fewer --rounds or "
            "another --run-directory"
        )
