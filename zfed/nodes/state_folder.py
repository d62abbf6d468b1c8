"""Where a node keeps what its task leaves, so that it outlives the node's process.

    <name of the node>/
      000007-<key of the run>.json           the run's `StateBook`: one line with a checksum
      000007-<key of the run>.3.safetensors  a state that the book names
      000007-<key of the run>.lock           one process at a time

Rules: a state's file is never changed, and is whole and durable before the book names it. The book is
replaced in one step; that is the commit. What it does not name is removed. Nothing is made before there is
something to keep, which with most tasks there never is.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from zfed.checkpoint import (
    PRIVATE_DISK,
    Closeable,
    Disk,
    checked_record,
    content_digest,
    is_temporary,
    read_model,
    record_line,
    translated,
    write_arrays,
    write_atomically,
)
from zfed.errors import CheckpointError, LayoutError, StateInUseError, UsageError
from zfed.nodes.state_book import StateBook, StateFile
from zfed.nodes.task_state import Lost, TaskState
from zfed.params import ParameterBuffer, dtype_name
from zfed.task import Array
from zfed.wire.digests import digest_of

MOST_RUNS: Final = 3
"""Runs whose state stays: somebody may go on with one that was stopped, or repeat the last step of one."""

_BASE: Final = re.compile(r"(\d{6})-([0-9a-f]{32})")


class StateFolder:
    """The states of one node, of one run at a time; owned by one thread.

    Args:
        folder: Made, with its parents, when there is something to keep.
        disk: Where it is.
    """

    def __init__(self, folder: Path, *, disk: Disk = PRIVATE_DISK) -> None:
        self._folder = folder
        self._disk = disk
        self._run = ""
        self._base = ""
        self._lock: Closeable | None = None
        self._files: set[str] = set()
        self._next_file = 0

    @property
    def is_made(self) -> bool:
        """True if there is a book of this run on the disk, or will be from now on."""
        return self._lock is not None

    def enter(self, run: str) -> StateBook:
        """Go to another run; returns what is kept of it.

        Args:
            run: The run's key, 32 hex digits.

        Raises:
            CheckpointError: If it cannot be read, or is damaged: then the run was entered with an empty book.
            StateInUseError: If another process has it.
        """
        self.close()
        self._run = run
        base = self._bases().get(run)
        if base is None:
            return StateBook()
        self._hold(base)
        self._sync_names()
        with translated(f"cannot read {self._folder}"):
            self._clear_away()
            if not self._disk.exists(self._book_path):
                return StateBook()  # its process died before it was written
            line = self._disk.read(self._book_path)
        return self._checked(line)

    def save(self, state: TaskState) -> StateFile:
        """Put a state on the disk; it is kept once a book that names it is stored.

        Raises:
            CheckpointError: If it cannot be written, or another process has this run's states.
            LayoutError: If an array is of a kind that no safetensors file can hold.
        """
        if not self.is_made:
            self._make()
        name = f"{self._base}.{self._next_file}.safetensors"
        self._next_file += 1
        arrays = {f"state/{key}": _storable(key, array) for key, array in state.arrays.items()}
        if len(state.local):
            arrays["local"] = state.local.data
        if state.lost is not None:
            arrays["lost"] = state.lost.residual
        digest = write_arrays(self._folder / name, arrays, disk=self._disk)
        self._files.add(name)
        return StateFile(
            name=name,
            digest=digest,
            local=_layout_digest(state.local),
            level=state.lost.level if state.lost is not None else "",
        )

    def store(self, book: StateBook) -> None:
        """Make a book the one that holds, and remove what it does not name.

        Raises:
            CheckpointError: If it cannot be written: nobody knows then which of the two holds.
        """
        line = record_line(msgspec.to_builtins(book)) + b"\n"
        write_atomically(self._book_path, [line], len(line), disk=self._disk)
        named = {entry.file.name for entry in book.entries if entry.file is not None}
        for name in sorted(self._files - named):
            with suppress(OSError):  # then it is removed when the run is entered again
                self._disk.remove(self._folder / name)
        self._files &= named

    def load(self, file: StateFile, like: TaskState) -> TaskState:
        """Read a state; `like` is one of the same task.

        Raises:
            CheckpointError: If it is missing or damaged, or of a task with other local tensors.
        """
        path = self._folder / file.name
        saved = read_model(path, disk=self._disk)
        if content_digest(saved) != file.digest:
            raise CheckpointError(f"{path} is damaged: its digest is not that of what was written")
        if file.local != _layout_digest(like.local):
            raise CheckpointError(f"{path} holds other local tensors than this task's")
        local = ParameterBuffer.zeros(like.local.layout)
        if file.local:
            local.data[:] = saved["local"]
        return TaskState(
            {key.removeprefix("state/"): saved[key].copy() for key in saved if key.startswith("state/")},
            local,
            Lost(file.level, saved["lost"].copy()) if file.level else None,
        )

    def close(self) -> None:
        """Let go of the run; more than once does no harm."""
        if self._lock is not None:
            self._lock.close()
        self._lock = None
        self._run = self._base = ""
        self._files, self._next_file = set(), 0

    @property
    def _book_path(self) -> Path:
        return self._folder / f"{self._base}.json"

    def _checked(self, line: bytes) -> StateBook:
        record = checked_record(line.removesuffix(b"\n"))
        try:
            return msgspec.convert(record, StateBook)
        except msgspec.ValidationError:
            raise CheckpointError(f"{self._book_path} is damaged: its checksum is wrong") from None

    def _bases(self) -> dict[str, str]:
        """What the names of each run's files begin with, by key; the run that was begun last is the last."""
        with translated(f"cannot read {self._folder}"):
            if not self._disk.exists(self._folder):
                return {}
            names = self._disk.entries(self._folder)
        found = (_BASE.fullmatch(name.partition(".")[0]) for name in names)
        return {match[2]: match[0] for match in found if match}

    def _hold(self, base: str) -> None:
        path = self._folder / f"{base}.lock"
        with translated(f"cannot lock {path}"):
            try:
                self._lock = self._disk.lock(path)
            except BlockingIOError:
                holder = self._disk.read(path).decode(errors="replace").strip()
                raise StateInUseError(
                    f"what the task keeps of this run, {self._folder / base}.*, is in use by process"
                    f" {holder or '(unknown)'}: choose another --name or --state"
                ) from None
        self._base = base

    def _make(self) -> None:
        with translated(f"cannot make {self._folder}"):
            for folder in reversed([self._folder, *self._folder.parents]):
                if not self._disk.exists(folder):
                    with suppress(FileExistsError):  # another node of this machine was quicker
                        self._disk.make_folder(folder)
                    self._disk.sync_folder(folder.parent)
        self._sync_names()
        bases = self._bases()
        last = max((int(base[:6]) for base in bases.values()), default=0)
        self._hold(bases.pop(self._run, f"{last + 1:06d}-{self._run}"))
        for base in list(bases.values())[: -(MOST_RUNS - 1)]:
            with suppress(OSError):
                self._remove_run(base)

    def _sync_names(self) -> None:
        """Make the folder's own name durable: who made it may have been killed before it got to that."""
        for folder in self._folder.parents:
            with suppress(OSError):  # somebody else's, most likely as old as the disk
                self._disk.sync_folder(folder)

    def _remove_run(self, base: str) -> None:
        """Remove what is kept of a run, the book first; unless a process still takes part in it."""
        lock = self._disk.lock(self._folder / f"{base}.lock")
        try:
            for name in sorted(self._names(base), key=lambda name: not name.endswith(".json")):
                self._disk.remove(self._folder / name)
        finally:
            lock.close()

    def _clear_away(self) -> None:
        """Remove what was never finished, and see what is there."""
        for name in self._disk.entries(self._folder):
            if is_temporary(name) and name.startswith(f".{self._base}."):
                self._disk.remove(self._folder / name)
        self._files = {name for name in self._names(self._base) if name.endswith(".safetensors")}
        self._next_file = 1 + max((int(name.split(".")[1]) for name in self._files), default=-1)

    def _names(self, base: str) -> Iterator[str]:
        return (name for name in self._disk.entries(self._folder) if name.startswith(f"{base}."))


def state_folder(root: str, node: str) -> Path:
    """The folder of a node's states: in `root`, or where this user's programs keep what must outlive them.

    Raises:
        UsageError: If there is no such place.
    """
    if root:
        return Path(root).absolute() / node
    given = Path(os.environ.get("XDG_STATE_HOME", ""))
    try:
        place = given if given.is_absolute() else Path.home() / ".local" / "state"
    except RuntimeError as error:
        raise UsageError(f"no place for what the task keeps: {error}; choose one with --state") from None
    return place / "zfed" / node


def _storable(name: str, array: Array) -> Array:
    try:
        dtype_name(array)
    except LayoutError as error:
        raise LayoutError(f"state {name!r} cannot be kept on disk: {error}") from None
    return array


def _layout_digest(local: ParameterBuffer) -> str:
    """Of the local tensors themselves: a layout's own digest leaves them out."""
    return digest_of(local.layout.to_bytes()) if len(local) else ""
