"""What one line says about a run: how it stands, how far it is, how good its model.

Only the ends of its files are read, so a long run is as quick as a short one.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import orjson

from zfed.checkpoint import checked_record, examine_journal
from zfed.checkpoint.run_files import RunFiles
from zfed.chronicle.backwards import lines_from_end
from zfed.chronicle.holder import holder
from zfed.config import RunConfig, parse_document
from zfed.errors import CheckpointError, ConfigError, UsageError
from zfed.telemetry.sentences import FEDERATED, WORKERS

State: TypeAlias = Literal["running", "completed", "stopped", "failed", "interrupted", "damaged", "empty"]
"""running: a process holds it; completed, stopped, failed: how it ended; interrupted: its process is gone and
said no end; damaged: its journal cannot be trusted; empty: it was made, and nothing happened yet.
"""

_MILESTONES: Final = ("started", "committed", "ended")
"""Events that say how a run stands."""

_Milestone: TypeAlias = tuple[int, Mapping[str, Any]]
"""Where a line stands, to compare with that of others, and what it says."""

_NEVER: Final[_Milestone] = (-1, {})


@dataclass(frozen=True, kw_only=True)
class Overview:
    """A run at a glance.

    Attributes:
        path: Its directory, which its id is the name of.
        state: How it stands.
        rounds_done: Rounds whose model version is committed.
        rounds: Rounds that its last start was for; None if neither that nor its run.toml says.
        version: The last committed model version; None before the first.
        evaluated: The newest evaluation of the federated model, as metrics.jsonl has it; empty if none.
        written: When its journal was last written, in seconds since 1970.
        note: What is wrong with it, if anything is.
    """

    path: Path
    state: State
    rounds_done: int
    rounds: int | None
    version: int | None
    evaluated: Mapping[str, Any]
    written: float
    note: str

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self.path.name


def list_runs(root: Path) -> list[Overview]:
    """All runs in a folder, the one that was last written at the end; other folders are left out.

    Raises:
        UsageError: If there is no such folder, or it cannot be read.
    """
    runs = [overview(path) for path in run_paths(root)]
    return sorted(runs, key=lambda run: (run.written, run.run_id))


def run_paths(root: Path) -> list[Path]:
    """The run directories in a folder.

    Raises:
        UsageError: As `list_runs`.
    """
    try:
        return [path for path in sorted(root.iterdir()) if is_run(path)]
    except FileNotFoundError:
        raise UsageError(
            f"there is no folder {root}: name another with --root, or begin a run with `zfed demo` or"
            " `zfed coordinator`"
        ) from None
    except OSError as error:
        raise UsageError(f"cannot look into {root}: {error.strerror}") from error


def is_run(path: Path) -> bool:
    """True if a folder looks like a run's, whole or not."""
    files = RunFiles(path)
    return files.journal_path.is_file() or files.config_path.is_file()


def overview(path: Path) -> Overview:
    """Look at the run in a directory for which `is_run` is true."""
    try:
        return _look(path)
    except OSError as error:
        return _overview(path, "damaged", note=f"{error.filename or path}: {error.strerror}")
    except CheckpointError as error:
        return _overview(path, "damaged", note=str(error))


def _planned_rounds(path: Path) -> int | None:
    """Rounds that a run was begun for; None if its run.toml cannot tell."""
    try:
        text = RunFiles(path).config_path.read_text(encoding="utf-8")
        tables = parse_document(text, "run.toml").tables
    except (OSError, UnicodeDecodeError, ConfigError):
        return None
    run = tables.get("run", {})
    rounds = run.get("rounds", RunConfig.rounds) if isinstance(run, dict) else None
    return rounds if isinstance(rounds, int) else None


def _look(path: Path) -> Overview:
    files = RunFiles(path)
    if not files.journal_path.exists():
        return _overview(path, "empty", note="nothing has happened yet")
    ends = _milestones(files.journal_path)
    if not ends:
        return _overview(path, "empty", note="nothing has happened yet")
    (started, start), (committed, commit), (ended, end) = (ends.get(event, _NEVER) for event in _MILESTONES)
    # A start goes on from the version it names: newer ones of before it were damaged
    version = start.get("version", -1) if started > committed else commit.get("version", -1)
    if holder(path) is not None:
        state: State = "running"
    elif ended > started:
        state = end.get("status", "failed")
    else:
        state = "interrupted"
    return _overview(
        path,
        state,
        rounds=start.get("rounds"),
        version=version if version >= 0 else None,
        evaluated=_newest_evaluation(files.metrics_path),
        note=end.get("reason", "") if state in ("stopped", "failed") else "",
    )


def _milestones(journal: Path) -> dict[str, _Milestone]:
    """The last line of each event that says how a run stands, and of any other, each with its place.

    Raises:
        CheckpointError: If the journal is damaged, as far as can be seen.
    """
    markers = {"": b"\n"} | {event: f'"event":"{event}"'.encode() for event in _MILESTONES}
    found: dict[str, _Milestone] = {}
    with open(journal, "rb") as file:
        for event, marker in markers.items():
            for place, line in islice(lines_from_end(file, marker), 1):
                record = checked_record(line[:-1])
                if record is None:
                    return _milestones_of_all(journal)
                found[event] = place, record
    return found


def _milestones_of_all(journal: Path) -> dict[str, _Milestone]:
    """The same, of a journal whose end a power cut has torn, or that is damaged: only the whole can tell."""
    contents = examine_journal(journal)
    if contents.damage:
        raise CheckpointError("a line of its journal is damaged")
    return {record.get("event", ""): (place, record) for place, record in enumerate(contents.records)}


def _newest_evaluation(metrics: Path) -> Mapping[str, Any]:
    """The newest record about the federated model, whoever evaluated it; empty if none can be read."""
    with suppress(OSError, orjson.JSONDecodeError), open(metrics, "rb") as file:
        for _, line in lines_from_end(file, b'"event":"evaluated"'):
            record: dict[str, Any] = orjson.loads(line)
            if record.get("subject") in (FEDERATED, WORKERS):
                return record
    return {}


def _overview(
    path: Path,
    state: State,
    *,
    rounds: int | None = None,
    version: int | None = None,
    evaluated: Mapping[str, Any] | None = None,
    note: str,
) -> Overview:
    return Overview(
        path=path,
        state=state,
        rounds_done=version or 0,
        rounds=_planned_rounds(path) if rounds is None else rounds,
        version=version,
        evaluated=evaluated or {},
        written=_written(path),
        note=note,
    )


def _written(path: Path) -> float:
    """When the journal was last written; without one, when the folder was."""
    for place in (RunFiles(path).journal_path, path):
        with suppress(OSError):
            return place.stat().st_mtime
    return 0.0
