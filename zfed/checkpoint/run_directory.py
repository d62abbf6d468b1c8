"""The folder of one run: configuration, journal, models, strategy states, metrics.

Rules:

1. A version's model and state are durable before `commit` names them; `commit` is the only moment at which a
   version comes to be. Nobody is told of a version before.
2. Nothing in here is ever changed in place: files appear whole, journals grow by whole lines.
3. One process at a time owns the folder.

    runs/<run id>/
      run.toml            the resolved configuration
      journal.jsonl       what happened; see `zfed.checkpoint.journal`
      models/             v00000.safetensors, ...
      state/              v00000.safetensors, ...: strategy state and float32 masters
      updates/            r00001-alice.safetensors, ...: workers' own models waiting for evaluation
      metrics.jsonl       one line per round and per evaluation
      model.safetensors   the last model, once the run is done
      lock                held by the process that owns the folder
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import shutil
from collections.abc import Collection, Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Final
from urllib.parse import quote

import orjson

from zfed.checkpoint.atomic import link_atomically, write_atomically
from zfed.checkpoint.digest import Digests
from zfed.checkpoint.disk import OS_DISK, Disk
from zfed.checkpoint.journal import Journal
from zfed.checkpoint.line_file import LineFile
from zfed.checkpoint.lock import FolderLock
from zfed.checkpoint.os_errors import translated
from zfed.checkpoint.safetensors_file import map_model, write_arrays, write_model
from zfed.errors import CheckpointError, UsageError
from zfed.params import ParameterBuffer
from zfed.params.dtypes import Array

_RUN_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_LONGEST_FILE_PART: Final = 200  # file systems allow names of 255 bytes


class RunDirectory:
    """Writes one run to disk; made by `create`, closed by `close` or a with statement.

    Files of different versions may be written from different threads; `journal`, `commit`, `record_metrics`
    and `next_incarnation` belong to one thread.

    Attributes:
        path: The folder.
        run_id: Its name.
        disk: Where the folder is.
        journal: What happened in this run.
    """

    def __init__(self, path: Path, *, disk: Disk = OS_DISK) -> None:
        """Take hold of a folder that `create` has just laid out."""
        self.path = path
        self.run_id = path.name
        self.disk = disk
        self._incarnation = 0
        self._saved: set[int] = set()
        with ExitStack() as opened:
            opened.callback(FolderLock(path, disk=disk).close)
            self.journal = Journal(path / "journal.jsonl", disk=disk)
            opened.callback(self.journal.close)
            self._metrics = LineFile(self.metrics_path, disk=disk)
            opened.callback(self._metrics.close)
            with translated(f"cannot make the files of {path} durable"):
                disk.sync_folder(path)
            self._opened = opened.pop_all()

    @classmethod
    def create(cls, root: Path, run_id: str, config_toml: str, *, disk: Disk = OS_DISK) -> RunDirectory:
        """Make the folder `root`/`run_id` with an empty journal.

        Args:
            root: Folder of all runs; made if it is not there.
            run_id: 1 to 128 of the characters A-Z a-z 0-9 . _ -, first a letter or digit.
            config_toml: The resolved configuration; kept as it is.
            disk: Where it is to be.

        Raises:
            UsageError: If `run_id` cannot name a folder.
            CheckpointError: If the folder is there already, or cannot be written; then nothing is left.
        """
        if not _RUN_ID.fullmatch(run_id):
            raise UsageError(
                f"run id {run_id!r}: expected letters, digits, '.', '_' and '-', first a letter or digit"
            )
        path = root / run_id
        with translated(
            f"cannot make the run directory {path}", remedy="choose a folder you can write to: --run DIR"
        ):
            _make_folders(root, disk)
            try:
                disk.make_folder(path)
            except FileExistsError:
                raise CheckpointError(
                    f"run directory {path} is there already, and resuming a run is not possible yet:"
                    " choose another with --run DIR, or remove it"
                ) from None
        try:
            return cls._laid_out(path, config_toml, disk)
        except BaseException:
            shutil.rmtree(path, ignore_errors=True)
            raise

    @classmethod
    def _laid_out(cls, path: Path, config_toml: str, disk: Disk) -> RunDirectory:
        with translated(f"cannot lay out the run directory {path}"):
            for folder in ("models", "state", "updates"):
                disk.make_folder(path / folder)
            content = config_toml.encode()
            write_atomically(path / "run.toml", [content], len(content), disk=disk)
            disk.sync_folder(path.parent)
        return cls(path, disk=disk)

    @property
    def metrics_path(self) -> Path:
        """Where `record_metrics` writes."""
        return self.path / "metrics.jsonl"

    @property
    def final_model_path(self) -> Path:
        """Where `publish_final_model` puts it."""
        return self.path / "model.safetensors"

    def model_path(self, version: int) -> Path:
        """File of a model version."""
        return self.path / "models" / f"v{version:05d}.safetensors"

    def state_path(self, version: int) -> Path:
        """File of the strategy state that belongs to a model version."""
        return self.path / "state" / f"v{version:05d}.safetensors"

    def update_path(self, round: int, worker: str) -> Path:
        """File of a worker's own model; whatever the name, it lies in `updates/`."""
        return self.path / "updates" / f"r{round:05d}-{_file_part(worker)}.safetensors"

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

    def map_version(self, version: int) -> ParameterBuffer:
        """The moving tensors of a saved version, read-only and from the page cache.

        Raises:
            CheckpointError: If the file is not there or no valid model.
        """
        return map_model(self.model_path(version), moving_only=True, disk=self.disk)

    def save_update(self, round: int, worker: str, buffer: ParameterBuffer) -> Digests:
        """Keep a worker's own model until it is evaluated.

        Raises:
            CheckpointError: If it cannot be written.
        """
        metadata = {"run": self.run_id, "round": str(round), "worker": worker}
        return write_model(self.update_path(round, worker), buffer, metadata, disk=self.disk)

    def map_update(self, round: int, worker: str) -> ParameterBuffer:
        """The moving tensors of a worker's own model, as `map_version`.

        Raises:
            CheckpointError: If the file is not there or no valid model.
        """
        return map_model(self.update_path(round, worker), moving_only=True, disk=self.disk)

    def drop_updates(self, round: int) -> None:
        """Delete the workers' own models of a round. A file that cannot be deleted stays."""
        folder, prefix = self.path / "updates", f"r{round:05d}-"
        with contextlib.suppress(OSError):
            for name in self.disk.entries(folder):
                if name.startswith(prefix):
                    self.disk.remove(folder / name)

    def drop_versions(self, before: int, *, keep: Collection[int] = ()) -> None:
        """Delete the model and state files of all versions before one, but those of the versions to keep.

        Who has mapped such a file can go on reading it. A file that cannot be deleted stays.
        """
        for version in [saved for saved in self._saved if saved < before and saved not in keep]:
            self._saved.remove(version)
            for path in (self.model_path(version), self.state_path(version)):
                with contextlib.suppress(OSError):
                    self.disk.remove(path)

    def publish_final_model(self, version: int) -> Path:
        """Put the version that the run ends with where its owner finds it.

        It is a second name of the same file, so a full disk does not matter. Where that cannot be, what is
        returned is the path of the version itself.
        """
        try:
            link_atomically(self.model_path(version), self.final_model_path, disk=self.disk)
        except OSError:
            return self.model_path(version)
        return self.final_model_path

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

    def next_incarnation(self) -> int:
        """The number of this start of the coordinator, counted from 1; durable before it is used.

        Raises:
            CheckpointError: If it cannot be written.
        """
        self._incarnation += 1
        self.journal.append({"event": "started", "incarnation": self._incarnation}, sync=True)
        return self._incarnation

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


def _make_folders(path: Path, disk: Disk) -> None:
    if not disk.exists(path):
        _make_folders(path.parent, disk)
        with contextlib.suppress(FileExistsError):  # somebody was faster
            disk.make_folder(path)
        disk.sync_folder(path.parent)


def _file_part(name: str) -> str:
    """A name from another machine as a part of a file name: different for different names, never a path."""
    escaped = quote(name, safe="", errors="surrogatepass")
    if len(escaped) <= _LONGEST_FILE_PART:
        return escaped
    # quote never gives "%s": no short name is mistaken for a long one
    return "%sha256-" + hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()
