"""health.json: how a coordinator is, by its own word, while it is at work.

Replaced in one step, so a reader sees the old or the new one; not made durable, for after a power cut there
is no coordinator that it could be about.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import msgspec

from zfed.checkpoint.os_errors import translated
from zfed.checkpoint.run_files import RunFiles
from zfed.errors import CheckpointError
from zfed.facts import DoorCounts


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """What health.json holds; docs/run-directory.md says what each field means."""

    at: float
    pid: int
    run: str
    version: int
    round: int
    nodes: list[str]
    encrypted: bool
    admitting: bool
    troubles: list[str]
    door: DoorCounts


def write_health(folder: Path, health: Health) -> None:
    """Replace the file.

    Raises:
        OSError: If that cannot be done.
    """
    path = RunFiles(folder).health_path
    temporary = path.with_name(f".{path.name}.{health.pid & 0xFFFFFFFF:08x}.tmp")
    temporary.write_bytes(msgspec.json.encode(health))
    os.replace(temporary, path)


def read_health(folder: Path) -> Health | None:
    """What the file holds; None if there is none, for no coordinator is at work.

    Raises:
        CheckpointError: If it cannot be read, or is something else.
    """
    path = RunFiles(folder).health_path
    with translated(f"cannot read {path}"):
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
    try:
        return msgspec.json.decode(content, type=Health)
    except msgspec.MsgspecError as error:
        raise CheckpointError(f"{path} is not a coordinator's health: {error}") from None


def remove_health(folder: Path) -> None:
    """No coordinator is at work here any more."""
    with suppress(OSError):
        RunFiles(folder).health_path.unlink()
