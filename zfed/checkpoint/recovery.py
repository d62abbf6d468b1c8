"""What a start finds in a run directory, and what it tidies before it goes on."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable
from typing import Final

from zfed.checkpoint.atomic import is_temporary, write_atomically
from zfed.checkpoint.disk import Disk
from zfed.checkpoint.history import History, Line
from zfed.checkpoint.journal import settle_journal
from zfed.checkpoint.metrics_file import mended_metrics
from zfed.checkpoint.new_run import make_folder
from zfed.checkpoint.os_errors import translated
from zfed.checkpoint.run_files import RunFiles, version_of
from zfed.errors import CheckpointError
from zfed.wire.digests import digest_of

_UPDATE: Final = re.compile(r"r\d{5,}-.+\.safetensors")


def recover(files: RunFiles, *, disk: Disk) -> tuple[History, int]:
    """Read a run's past and leave nothing in its folder that does not belong to it.

    What goes: a journal line that was never finished, files that were never finished, models and states of
    versions that were never committed, workers' own models that no evaluation waits for (a round that was
    open receives them again), metrics of what does not count.

    Args:
        files: Of a run whose folder this process holds.
        disk: Where it is.

    Returns:
        The past, and the length of the journal's torn line, 0 if there was none.

    Raises:
        CheckpointError: If journal or configuration are not as they were left, or the disk fails.
    """
    contents = settle_journal(files.journal_path, disk=disk)
    past = History(contents.records, where=files.journal_path)
    check_config(files, past.config, disk=disk)
    with translated(f"cannot tidy the run directory {files.path}"):
        for folder in files.folders:
            make_folder(folder, disk)
        disk.sync_folder(files.path)
        _remove_leftovers(files, past, disk)
    mend_metrics(files, past.lines, disk=disk)
    return past, contents.torn_bytes


def check_config(files: RunFiles, digest: str, *, disk: Disk) -> None:
    """Check that run.toml is as it was when the run began.

    Raises:
        CheckpointError: If it is missing, cannot be read, or was changed.
    """
    path = files.config_path
    remedy = "put it back as it was, or begin a new run with --run DIR"
    with translated(f"cannot read {path}", remedy=remedy):
        found = digest_of(disk.read(path))
    if found != digest:
        raise CheckpointError(
            f"{path} was changed: its digest is {found}, the run began with {digest}; {remedy}. To change a"
            " setting for one start, give it as a flag"
        )


def _remove_leftovers(files: RunFiles, past: History, disk: Disk) -> None:
    models, state, updates = files.folders
    owed = {
        files.update_path(owed.round, owed.evaluation.subject).name
        for owed in past.owed
        if owed.evaluation.model
    }
    for folder in (files.path, models, state, updates):
        for name in disk.entries(folder):
            version = version_of(name) if folder in (models, state) else None
            uncommitted = version is not None and version not in past.committed
            unwanted = folder == updates and _UPDATE.fullmatch(name) is not None and name not in owed
            if is_temporary(name) or uncommitted or unwanted:
                with contextlib.suppress(OSError):  # it takes room, no more
                    disk.remove(folder / name)


def mend_metrics(files: RunFiles, lines: Iterable[Line], *, disk: Disk) -> None:
    """Make metrics.jsonl those of the journal lines that count; nobody may have it open.

    Raises:
        CheckpointError: If it cannot be read or written.
    """
    path = files.metrics_path
    with translated(f"cannot read {path}"):
        content = disk.read(path) if disk.exists(path) else b""
    mended = mended_metrics(content, lines)
    if mended != content:
        write_atomically(path, [mended], len(mended), disk=disk)
