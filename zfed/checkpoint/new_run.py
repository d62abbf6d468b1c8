"""How a run directory comes to be.

A run is there once its journal has its first line, which appears in one step. A process that dies before
leaves a folder that holds no run, and whatever it holds then may be laid out again; a folder with anything
else in it is left alone.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from zfed.checkpoint.atomic import is_temporary, write_atomically
from zfed.checkpoint.disk import Disk
from zfed.checkpoint.history import Line
from zfed.checkpoint.journal import encode_line
from zfed.checkpoint.os_errors import translated
from zfed.checkpoint.run_files import RunFiles
from zfed.errors import CheckpointError
from zfed.wire.digests import digest_of


def holds_run(path: Path, *, disk: Disk) -> bool:
    """True if a folder holds a run, intact or not: a journal with a first line.

    Raises:
        CheckpointError: If that cannot be found out.
    """
    journal = RunFiles(path).journal_path
    with translated(f"cannot read {journal}"):
        return disk.exists(journal) and b"\n" in disk.read(journal)


def make_run_folder(files: RunFiles, *, disk: Disk) -> None:
    """Make the folder, and those that it lies in, as far as they are not there.

    Raises:
        CheckpointError: If it cannot be made, or is there and not empty of all but what a start has left.
    """
    remedy = "choose a folder you can write to: --run DIR"
    with translated(f"cannot make the run directory {files.path}", remedy=remedy):
        if disk.exists(files.path):
            refuse_what_is_there(files, disk=disk)
        _make_folders(files.path, disk)


def refuse_what_is_there(files: RunFiles, *, disk: Disk) -> None:
    """Refuse a folder in which a new run would overwrite something.

    Raises:
        CheckpointError: If it is such a folder, or cannot be read.
    """
    if holds_run(files.path, disk=disk):
        raise CheckpointError(
            f"{files.path} holds a run already: choose another folder with --run DIR, or remove it"
        )
    entries = disk.entries(files.path)
    for name in entries:
        found = _foreign(files, name, begun=files.lock_path.name in entries, disk=disk)
        if found is not None:
            raise CheckpointError(
                f"{files.path} holds no run that can be resumed, but {found}, which a new one would"
                " overwrite: choose another folder with --run DIR, or remove it"
            )


def lay_out(files: RunFiles, config_toml: str, *, key: str, now: float, disk: Disk) -> Line:
    """Write what a new run begins with, into a folder that is held; returns its journal's first line.

    Raises:
        CheckpointError: If it cannot be written; the same may be tried again.
    """
    with translated(f"cannot lay out the run directory {files.path}"):
        # From here on it can be told that what lies in this folder is zfed's
        disk.sync_folder(files.path)
        for folder in files.folders:
            make_folder(folder, disk)
    config = config_toml.encode()
    write_atomically(files.config_path, [config], len(config), disk=disk)
    created = {"event": "created", "key": key, "config": digest_of(config)}
    line = encode_line(created, now) + b"\n"
    write_atomically(files.journal_path, [line], len(line), disk=disk)
    return created


def make_folder(path: Path, disk: Disk) -> None:
    """Make a folder unless it is there.

    Raises:
        OSError: If it cannot be made.
    """
    with contextlib.suppress(FileExistsError):
        disk.make_folder(path)


def _make_folders(path: Path, disk: Disk) -> None:
    if disk.exists(path):
        # A start that was killed may have made it and not synced its name
        for folder in path.parents:
            with contextlib.suppress(OSError):  # somebody else's, most likely as old as the disk
                disk.sync_folder(folder)
    else:
        _make_folders(path.parent, disk)
        make_folder(path, disk)
        disk.sync_folder(path.parent)


def _foreign(files: RunFiles, name: str, *, begun: bool, disk: Disk) -> str | None:
    """What of an entry would be overwritten; `begun`: a start of zfed has held this folder."""
    path = files.path / name
    if is_temporary(name) or path in (files.lock_path, files.journal_path):
        return None
    if path in files.folders:
        return next((f"{name}/{inner}" for inner in disk.entries(path) if not is_temporary(inner)), None)
    if path == files.config_path:
        return None if begun else name
    return name
