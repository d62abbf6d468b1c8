"""Checks everything that a run directory keeps, and changes nothing; also while the run goes on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from zfed.checkpoint.disk import OS_DISK, Disk
from zfed.checkpoint.history import History
from zfed.checkpoint.journal import JournalContents, read_journal
from zfed.checkpoint.new_run import holds_run
from zfed.checkpoint.os_errors import translated
from zfed.checkpoint.recovery import check_config
from zfed.checkpoint.run_files import RunFiles
from zfed.checkpoint.saved_model import read_saved
from zfed.errors import CheckpointError

_TRIES: Final = 5


@dataclass(frozen=True)
class Finding:
    """What is to be said of one file.

    Attributes:
        path: The file, from the run's folder on: `models/v00003.safetensors`.
        ok: False if a person must act.
        sentence: What was seen and, if it is not ok, what was expected and what to do.
    """

    path: str
    ok: bool
    sentence: str


def verify(path: Path, *, disk: Disk = OS_DISK) -> list[Finding]:
    """Check configuration, journal, and all models and states that are kept, by their checksums and digests.

    An older version may have been dropped (`--keep-models`); the newest must be there. Needs no lock, and
    memory for one model at a time.

    Args:
        path: The folder of a run.
        disk: Where it is.

    Returns:
        What was found, file by file: journal, configuration, models and states by version, the final model,
        workers' own models that an evaluation waits for. If the journal is damaged, that alone: nothing can
        be checked without it.

    Raises:
        CheckpointError: If there is no run.
    """
    files = RunFiles(path)
    if not holds_run(path, disk=disk):
        raise CheckpointError(f"there is no run in {path}: it has no journal.jsonl with a first line")
    findings: list[Finding] = []
    for _ in range(_TRIES):
        try:
            journal = read_journal(files.journal_path, disk=disk)
            past = History(journal.records, where=files.journal_path)
            findings = [_journal(files, journal), *_findings(files, past, disk)]
            if all(found.ok for found in findings) or journal == read_journal(files.journal_path, disk=disk):
                break
            # The run goes on: what was missing may have been dropped meanwhile
        except CheckpointError as error:
            return [Finding(files.journal_path.name, False, str(error))]
    return findings


def _journal(files: RunFiles, journal: JournalContents) -> Finding:
    sentence = f"{len(journal.records)} lines, all checksums right"
    if journal.torn_bytes:
        sentence += f"; a last one of {journal.torn_bytes} bytes is not finished, the next start drops it"
    return Finding(files.journal_path.name, True, sentence)


def _findings(files: RunFiles, past: History, disk: Disk) -> Iterator[Finding]:
    yield _config(files, past, disk)
    for version in past.committed:
        yield from _version(files, past, version, disk)
    yield from _published(files, past, disk)
    for owed in past.owed:
        if owed.evaluation.model:
            own = files.update_path(owed.round, owed.evaluation.subject)
            what = f"{owed.evaluation.subject}'s own model of round {owed.round}, to be evaluated"
            yield _numbers(files, own, owed.evaluation.model, what, disk)


def _config(files: RunFiles, past: History, disk: Disk) -> Finding:
    try:
        check_config(files, past.config, disk=disk)
    except CheckpointError as error:
        return Finding(files.config_path.name, False, str(error))
    return Finding(files.config_path.name, True, "as the run began with it")


def _version(files: RunFiles, past: History, version: int, disk: Disk) -> Iterator[Finding]:
    line = past.committed[version]
    model, newest = files.model_path(version), version == max(past.committed)
    if not newest and not _is_there(model, disk):
        return
    yield _numbers(files, model, line["model"], f"version {version}", disk)
    if line["state"]:
        what = f"the strategy's state at version {version}"
        yield _numbers(files, files.state_path(version), line["state"], what, disk)


def _published(files: RunFiles, past: History, disk: Disk) -> Iterator[Finding]:
    """The models that are named when the run has ended, where the file system can give them a name."""
    ended = past.ended or {}
    named = (
        (files.final_model_path, ended.get("version"), "which the run ended with"),
        (files.best_model_path, ended.get("best"), "the best by the metric that was watched"),
    )
    for path, version, why in named:
        if version in past.committed and _is_there(path, disk):
            yield _numbers(files, path, past.committed[version]["model"], f"version {version}, {why}", disk)


def _numbers(files: RunFiles, path: Path, digest: str, what: str, disk: Disk) -> Finding:
    name = str(path.relative_to(files.path))
    try:
        read_saved(path, digest, disk=disk)
    except CheckpointError as error:
        return Finding(name, False, f"{what}: {error}")
    return Finding(name, True, what)


def _is_there(path: Path, disk: Disk) -> bool:
    with translated(f"cannot read {path}"):
        return disk.exists(path)
