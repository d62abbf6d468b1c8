"""The folder of one run: configuration, journal, models, strategy states, metrics.

Rules:

1. A run comes to be with the first line of its journal, a version with its `committed` line. Model and state
   are durable before; nobody is told of a version before.
2. Nothing in here is ever changed in place: files appear whole, journals grow by whole lines.
3. One process at a time owns the folder.
4. At whatever instant a process is killed, `create` or `resume` goes on from what it has left.

What lies where: `zfed.checkpoint.run_files`.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Final

import orjson

from zfed.checkpoint.atomic import link_atomically
from zfed.checkpoint.digest import Digests
from zfed.checkpoint.disk import OS_DISK, Disk
from zfed.checkpoint.history import History, without_newer
from zfed.checkpoint.journal import Journal
from zfed.checkpoint.line_file import LineFile
from zfed.checkpoint.lock import FolderLock
from zfed.checkpoint.new_run import holds_run, lay_out, make_run_folder, refuse_what_is_there
from zfed.checkpoint.os_errors import translated
from zfed.checkpoint.recovery import mend_metrics, recover
from zfed.checkpoint.run_files import RunFiles, version_of
from zfed.checkpoint.safetensors_file import map_model, write_arrays, write_model
from zfed.checkpoint.saved_model import SavedModel, SavedVersion, map_saved, newest_intact
from zfed.errors import CheckpointError, UsageError
from zfed.params import ParameterBuffer
from zfed.params.dtypes import Array

_RUN_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class RunDirectory(RunFiles):
    """Writes one run to disk; made by `create` or `resume`, closed by `close` or a with statement.

    Files of different versions may be written from different threads; `journal`, `commit`, `record_metrics`
    and `next_incarnation` belong to one thread.

    Attributes:
        path: The folder.
        run_id: Its name.
        disk: Where the folder is.
        key: 32 hexadecimal digits that tell this run from others of its name.
        journal: What happens in this run.
        history: The journal lines of earlier starts that still count, oldest first, without the very first.
        torn_bytes: Length of a last journal line that was never finished and is gone now, 0 if none was.
    """

    def __init__(
        self,
        files: RunFiles,
        past: History,
        *,
        torn_bytes: int,
        held: ExitStack,
        disk: Disk,
        wall_clock: Callable[[], float],
    ) -> None:
        """Open what `create` or `resume` has prepared; `held` holds the folder, and is closed with this."""
        super().__init__(files.path)
        self.disk = disk
        self.key = past.key
        self.history = past.lines[1:]
        self.torn_bytes = torn_bytes
        self._committed = past.committed
        self._incarnation = past.incarnation
        with held:
            self._saved = self._versions_on_disk()
            kept = self._saved & past.committed.keys()
            self._digests = {version: str(past.committed[version]["model"]) for version in kept}
            self.journal = Journal(self.journal_path, disk=disk, wall_clock=wall_clock)
            held.callback(self.journal.close)
            self._metrics = LineFile(self.metrics_path, disk=disk)
            held.callback(lambda: self._metrics.close())
            self._opened = held.pop_all()

    @classmethod
    def create(
        cls,
        root: Path,
        run_id: str,
        config_toml: str,
        *,
        key: str = "",
        disk: Disk = OS_DISK,
        wall_clock: Callable[[], float] = time.time,
    ) -> RunDirectory:
        """Begin a run in the folder `root`/`run_id`, which is new, empty, or what a killed start has left.

        Args:
            root: Folder of all runs; made if it is not there.
            run_id: 1 to 128 of the characters A-Z a-z 0-9 . _ -, first a letter or digit.
            config_toml: The resolved configuration; kept as it is.
            key: 32 hexadecimal digits that no other run of this name has; drawn at random if not given.
            disk: Where it is to be.
            wall_clock: Seconds since 1970; for people, nothing is decided by it.

        Raises:
            UsageError: If `run_id` cannot name a folder.
            CheckpointError: If the folder holds a run or something else, is in use, or cannot be written;
                then the same can be tried again.
        """
        if not _RUN_ID.fullmatch(run_id):
            raise UsageError(
                f"run id {run_id!r}: expected letters, digits, '.', '_' and '-', first a letter or digit"
            )
        files = RunFiles(root / run_id)
        make_run_folder(files, disk=disk)
        with ExitStack() as held:
            held.callback(FolderLock(files.path, disk=disk).close)
            with translated(f"cannot read the run directory {files.path}"):
                refuse_what_is_there(files, disk=disk)  # another process may have been faster
            key = key or secrets.token_hex(16)
            created = lay_out(files, config_toml, key=key, now=wall_clock(), disk=disk)
            past = History([created], where=files.journal_path)
            return cls(files, past, torn_bytes=0, held=held.pop_all(), disk=disk, wall_clock=wall_clock)

    @classmethod
    def resume(
        cls, path: Path, *, disk: Disk = OS_DISK, wall_clock: Callable[[], float] = time.time
    ) -> RunDirectory:
        """Go on with a run; see `zfed.checkpoint.recovery` for what is tidied. Call `newest_intact` next.

        Raises:
            CheckpointError: If there is no run, it is in use, its journal or configuration is damaged, or
                the disk fails.
        """
        files = RunFiles(path)
        if not holds_run(path, disk=disk):
            raise CheckpointError(
                f"there is no run in {path}: it has no journal.jsonl with a first line; name the folder of"
                " one, or begin one with --run DIR"
            )
        with ExitStack() as held:
            held.callback(FolderLock(path, disk=disk).close)
            past, torn_bytes = recover(files, disk=disk)
            return cls(
                files, past, torn_bytes=torn_bytes, held=held.pop_all(), disk=disk, wall_clock=wall_clock
            )

    @staticmethod
    def holds_run(path: Path, *, disk: Disk = OS_DISK) -> bool:
        """True if a folder holds a run, intact or not: then it is resumed, else created.

        Raises:
            CheckpointError: If that cannot be found out.
        """
        return holds_run(path, disk=disk)

    # ---- reading back ---------------------------------------------------------------------------

    def newest_intact(self) -> SavedVersion | None:
        """The version to go on from, checked; None if none was ever committed. Tell `next_incarnation`.

        Raises:
            CheckpointError: If versions were committed and none is intact.
        """
        return newest_intact(self, self._committed, disk=self.disk)

    def served(self, version: int) -> SavedModel:
        """A committed version that an evaluation still wants: checked, its moving tensors mapped.

        Raises:
            CheckpointError: If it was not committed, is not there any more, or is damaged.
        """
        if version not in self._digests:
            raise CheckpointError(f"version {version} was not committed in {self.path}")
        return map_saved(self.model_path(version), self._digests[version], disk=self.disk)

    def own_model(self, round: int, worker: str, digest: str) -> SavedModel:
        """A worker's own model that an evaluation still wants: checked, its moving tensors mapped.

        Args:
            round: Its round.
            worker: Its worker.
            digest: The content digest that `save_update` returned.

        Raises:
            CheckpointError: If it is not there or damaged.
        """
        return map_saved(self.update_path(round, worker), digest, disk=self.disk)

    def map_version(self, version: int) -> ParameterBuffer:
        """The moving tensors of a version that this process has saved, read-only, from the page cache.

        Raises:
            CheckpointError: If the file is not there or no valid model.
        """
        return map_model(self.model_path(version), moving_only=True, disk=self.disk)

    def map_update(self, round: int, worker: str) -> ParameterBuffer:
        """The moving tensors of a worker's own model that this process has saved, as `map_version`.

        Raises:
            CheckpointError: If the file is not there or no valid model.
        """
        return map_model(self.update_path(round, worker), moving_only=True, disk=self.disk)

    # ---- writing --------------------------------------------------------------------------------

    def save_model(
        self, version: int, buffer: ParameterBuffer, *, moving: Iterable[Array] | None = None
    ) -> Digests:
        """Make a model version durable.

        Args:
            version: Its number.
            buffer: The model.
            moving: Its moving bytes piece by piece, each as soon as it is final; see `write_model`.

        Raises:
            CheckpointError: If it cannot be written.
        """
        self._saved.add(version)
        metadata = {"run": self.run_id, "version": str(version)}
        return write_model(self.model_path(version), buffer, metadata, moving=moving, disk=self.disk)

    def save_state(self, version: int, arrays: Mapping[str, Array]) -> str:
        """Make the strategy state of a version durable; returns the digest of its content.

        A strategy without state has no file: two fsyncs more would be a tenth of a small round. The digest
        is empty then.

        Raises:
            CheckpointError: If it cannot be written.
        """
        if not arrays:
            return ""
        metadata = {"run": self.run_id, "version": str(version)}
        return write_arrays(self.state_path(version), arrays, metadata, disk=self.disk)

    def save_update(self, round: int, worker: str, buffer: ParameterBuffer) -> Digests:
        """Keep a worker's own model until it is evaluated.

        Raises:
            CheckpointError: If it cannot be written.
        """
        metadata = {"run": self.run_id, "round": str(round), "worker": worker}
        return write_model(self.update_path(round, worker), buffer, metadata, disk=self.disk)

    def drop_updates(self, round: int) -> None:
        """Delete the workers' own models of a round. A file that cannot be deleted stays."""
        folder, prefix = self.path / "updates", f"r{round:05d}-"
        with contextlib.suppress(OSError):
            for name in self.disk.entries(folder):
                if name.startswith(prefix):
                    self.disk.remove(folder / name)

    def drop_versions(self, before: int, *, keep: Collection[int] = ()) -> None:
        """Delete the model and state files of all versions before one, but those of the versions to keep.

        Who has mapped such a file can go on reading it. A file that cannot be deleted stays until the next
        start.
        """
        for version in [saved for saved in self._saved if saved < before and saved not in keep]:
            self._saved.remove(version)
            self._digests.pop(version, None)
            for path in (self.model_path(version), self.state_path(version)):
                with contextlib.suppress(OSError):
                    self.disk.remove(path)

    def publish_final_model(self, version: int) -> Path:
        """Put the version that the run ends with where its owner finds it.

        It is a second name of the same file, so a full disk does not matter. Where that cannot be, what is
        returned is the path of the version itself.
        """
        return self._publish(version, self.final_model_path)

    def publish_best_model(self, version: int) -> Path:
        """The same of the version that is the best by the metric that was watched."""
        return self._publish(version, self.best_model_path)

    def _publish(self, version: int, path: Path) -> Path:
        try:
            link_atomically(self.model_path(version), path, disk=self.disk)
        except OSError:
            return self.model_path(version)
        return path

    def commit(self, *, version: int, model: str, state: str, facts: Mapping[str, Any]) -> None:
        """Say, durably, that a version exists: the commit point.

        Args:
            version: The version; its model and state have been saved.
            model: The content digest that `save_model` returned.
            state: What `save_state` returned.
            facts: More to remember: round, weights, value range ...

        Raises:
            CheckpointError: If it cannot be written; then nobody may be told of the version.
        """
        record = {**facts, "event": "committed", "version": version, "model": model, "state": state}
        self.journal.append(record, sync=True)
        self._digests[version] = model

    def next_incarnation(self, version: int, facts: Mapping[str, Any] = MappingProxyType({})) -> int:
        """The number of this start of the coordinator, counted from 1; durable before it is used.

        Args:
            version: The one that it goes on from, -1 if there is none. Newer ones, and what came of them, are
                void from now on.
            facts: More to remember of this start, for people.

        Raises:
            CheckpointError: If it cannot be written.
        """
        self._incarnation += 1
        record = {**facts, "event": "started", "incarnation": self._incarnation, "version": version}
        self.journal.append(record, sync=True)
        if any(known > version for known in (*self._committed, *self._digests)):
            self._take_back(version)
        return self._incarnation

    def forget_history(self) -> None:
        """Let go of what earlier starts wrote, once it was read: of a long run it takes more than a model."""
        self.history = ()
        self._committed = {}

    def record_metrics(self, record: Mapping[str, Any]) -> None:
        """Append one line to `metrics.jsonl`.

        Raises:
            CheckpointError: If it cannot be written.
        """
        self._metrics.append(orjson.dumps(dict(record)))

    def close(self) -> None:
        """Close all files and let the folder go; more than once does no harm."""
        self._opened.close()

    def __enter__(self) -> RunDirectory:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _take_back(self, version: int) -> None:
        """What came of versions newer than this one does not count any more."""
        self._digests = {known: digest for known, digest in self._digests.items() if known <= version}
        self.history = tuple(without_newer(self.history, version))
        self._metrics.close()
        mend_metrics(self, self.history, disk=self.disk)
        self._metrics = LineFile(self.metrics_path, disk=self.disk)

    def _versions_on_disk(self) -> set[int]:
        """The versions of which there is a file, also such as an earlier start has written."""
        models, state, _ = self.folders
        with translated(f"cannot read {self.path}"):
            names = [*self.disk.entries(models), *self.disk.entries(state)]
        return {version for version in map(version_of, names) if version is not None}
