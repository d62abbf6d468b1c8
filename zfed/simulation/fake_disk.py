"""A disk in memory that knows what a power cut would leave of it.

What was written and what is durable are kept apart, for bytes and for names, by the rules of
`zfed.checkpoint.disk`. Each call is a place where the process may die: before it, in the middle of a write,
or after it has taken effect and before anybody hears of that.
"""

from __future__ import annotations

import errno
import math
import os
import random
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeAlias

from zfed.checkpoint.disk import Bytes, Closeable, DiskFile, ScratchFile

SECTOR_BYTES: Final = 512
"""What a disk writes wholly or not at all."""


class ProcessDied(BaseException):
    """The process ended within a disk call. No Exception: nothing in a dead process handles it."""


class FakeDisk:
    """What one process sees of a disk. When the process has died its successor gets another view of it.

    Attributes:
        capacity: Bytes that all files may have together; may be moved at any time.
        dies_in: If not 0, the process dies at the so-manieth point from now; each call that changes
            something has three.
        watch: Is told each call that changes something, in words.
    """

    def __init__(self) -> None:
        self.capacity = math.inf
        self.dies_in = 0
        self.watch: Callable[[str], None] | None = None
        self._root = _Folder()
        self._folders = {"/": self._root}
        self._locks: set[str] = set()
        self._scratch: weakref.WeakSet[_Scratch] = weakref.WeakSet()
        self._dead = False

    def fill(self, room: float) -> None:
        """Leave so many bytes free."""
        self.capacity = math.inf if room == math.inf else self._used() + room

    @property
    def is_full(self) -> bool:
        """True if there is a limit."""
        return self.capacity != math.inf

    # ---- how a process ends ---------------------------------------------------------------------

    def after_kill(self) -> FakeDisk:
        """The disk as the next process finds it if this one is killed: all that was written is there."""
        self._dead = True
        disk = FakeDisk()
        disk.capacity, disk.watch = self.capacity, self.watch
        disk._root, disk._folders = self._root, self._folders
        return disk

    def after_power_cut(self, random: random.Random) -> FakeDisk:
        """The disk as it may be if the power fails: what was not synced may be there, or not, or in part."""
        self._dead = True
        disk = FakeDisk()
        disk.capacity, disk.watch = self.capacity, self.watch
        disk._root = self._root.after_power_cut(random, {})
        disk._folders = dict(disk._root.with_subfolders("/"))
        return disk

    # ---- what a process asks --------------------------------------------------------------------

    def make_folder(self, path: Path) -> None:
        """As `Disk.make_folder`."""
        folder, name, full = self._place(path)
        self._begin("make folder", full)
        if name in folder.names:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), full)
        made = self._folders[full] = _Folder()
        folder.change({name: made})
        self._end()

    def entries(self, folder: Path) -> list[str]:
        """As `Disk.entries`."""
        self._live()
        return sorted(self._folder(str(folder)).names)

    def exists(self, path: Path) -> bool:
        """As `Disk.exists`."""
        self._live()
        parent, name = os.path.split(str(path))
        return str(path) in self._folders or (parent in self._folders and name in self._folders[parent].names)

    def read(self, path: Path) -> bytes:
        """As `Disk.read`."""
        self._live()
        folder, name, full = self._place(path)
        return bytes(_content(folder, name, full).data)

    def map(self, path: Path) -> memoryview:
        """As `Disk.map`."""
        return memoryview(self.read(path))

    def create(self, path: Path) -> DiskFile:
        """As `Disk.create`."""
        folder, name, full = self._place(path)
        self._begin("create", full)
        if name in folder.names:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), full)
        return self._made(folder, name, full)

    def append(self, path: Path) -> DiskFile:
        """As `Disk.append`."""
        folder, name, full = self._place(path)
        self._begin("open", full)
        if name not in folder.names:
            return self._made(folder, name, full)
        return _File(self, full, _content(folder, name, full))

    def replace(self, source: Path, path: Path) -> None:
        """As `Disk.replace`."""
        old_folder, old_name, old = self._place(source)
        new_folder, new_name, _ = self._place(path)
        self._begin("rename", old, f" to {new_name}")
        content = _content(old_folder, old_name, old)
        if new_folder.names.get(new_name) is content:  # POSIX: then both names stay
            return
        if old_folder is new_folder:
            old_folder.change({old_name: None, new_name: content})
        else:
            new_folder.change({new_name: content})
            old_folder.change({old_name: None})
        self._end()

    def link(self, source: Path, path: Path) -> None:
        """As `Disk.link`."""
        old_folder, old_name, old = self._place(source)
        folder, name, full = self._place(path)
        self._begin("link", old, f" as {name}")
        content = _content(old_folder, old_name, old)
        if name in folder.names:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), full)
        folder.change({name: content})
        self._end()

    def remove(self, path: Path) -> None:
        """As `Disk.remove`."""
        folder, name, full = self._place(path)
        self._begin("remove", full)
        _content(folder, name, full)
        folder.change({name: None})
        self._end()

    def sync_folder(self, folder: Path) -> None:
        """As `Disk.sync_folder`."""
        full = str(folder)
        self._begin("sync folder", full)
        self._folder(full).sync()
        self._end()

    def free(self, folder: Path) -> int:
        """As `Disk.free`."""
        self._live()
        return self._room()

    def lock(self, path: Path) -> Closeable:
        """As `Disk.lock`."""
        folder, name, full = self._place(path)
        self._begin("lock", full)
        if full in self._locks:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN), full)
        if name not in folder.names:
            folder.change({name: _Content()})
        self._locks.add(full)
        self._end()
        return _Lock(self._locks, full)

    def scratch(self, folder: Path, nbytes: int) -> ScratchFile:
        """As `Disk.scratch`."""
        self._begin("make scratch file in", str(folder))
        if nbytes > self._room():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))
        made = _Scratch(self, nbytes)
        self._scratch.add(made)
        self._end()
        return made

    # ---- for the files --------------------------------------------------------------------------

    def _write(self, full: str, content: _Content, data: Bytes) -> None:
        self._begin("write", full, f" {len(data)} bytes")
        room = self._room()
        if len(data) > room:
            content.data += data[:room]
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), full)
        if self.dies_in == 1:
            content.data += data[: len(data) // 2]
        self._end()
        content.data += data
        self._end()

    def _truncate(self, full: str, content: _Content, size: int) -> None:
        self._begin("cut", full, f" to {size} bytes")
        content.truncate(size)
        self._end()

    def _sync(self, full: str, content: _Content) -> None:
        self._begin("sync", full)
        content.sync()
        self._end()

    def _live(self) -> None:
        if self._dead:
            raise ProcessDied("this process is dead")

    def _begin(self, call: str, full: str, more: str = "") -> None:
        if self._dead or self.dies_in:
            self._end()
        if self.watch is not None:
            self.watch(f"{call} {full}{more}")

    def _end(self) -> None:
        """A point at which the process may die."""
        self._live()
        if self.dies_in:
            self.dies_in -= 1
            if not self.dies_in:
                self._dead = True
                raise ProcessDied("killed within a disk call")

    def _room(self) -> int:
        return 1 << 60 if self.capacity == math.inf else max(0, int(self.capacity) - self._used())

    def _used(self) -> int:
        files = {id(content): content for folder in self._folders.values() for content in folder.contents()}
        named = sum(len(content.data) for content in files.values())
        return named + sum(each.nbytes for each in self._scratch)

    def _folder(self, full: str) -> _Folder:
        folder = self._folders.get(full)
        if folder is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), full)
        return folder

    def _place(self, path: Path) -> tuple[_Folder, str, str]:
        full = str(path)
        parent, name = os.path.split(full)
        return self._folder(parent), name, full

    def _made(self, folder: _Folder, name: str, full: str) -> DiskFile:
        content = _Content()
        folder.change({name: content})
        self._end()
        return _File(self, full, content)


class _Content:
    """The bytes of a file, whatever its names."""

    __slots__ = ("_durable", "_equal", "data")

    def __init__(self, data: bytes | bytearray = b"") -> None:
        self.data = bytearray(data)
        self._durable = bytearray(data)
        self._equal = len(data)  # so many first bytes are the same in both

    def sync(self) -> None:
        self._durable[self._equal :] = self.data[self._equal :]
        self._equal = len(self.data)

    def truncate(self, size: int) -> None:
        del self.data[size:]
        self._equal = min(self._equal, size)

    def after_power_cut(self, random: random.Random) -> _Content:
        """Lost, kept or torn: cut anywhere, and sectors in what is left never written."""
        written, durable = self.data, self._durable
        if self._equal == len(written) == len(durable):
            return _Content(durable)
        match random.choice(("lost", "kept", "cut", "holes")):
            case "lost":
                return _Content(durable)
            case "kept":
                return _Content(written)
            case torn:
                shortest, longest = sorted((len(written), len(durable)))
                left = (written + durable[len(written) :])[: random.randint(shortest, longest)]
        if torn == "holes":
            first = self._equal // SECTOR_BYTES
            for sector in range(first, -(-len(left) // SECTOR_BYTES)):
                if random.random() < 0.5:
                    start, stop = max(self._equal, sector * SECTOR_BYTES), (sector + 1) * SECTOR_BYTES
                    stop = min(stop, len(left))
                    left[start:stop] = durable[start:stop].ljust(stop - start, b"\0")
        return _Content(left)


class _Folder:
    """Names, those that are durable, and what was done to them since."""

    __slots__ = ("_durable", "_unsynced", "names")

    def __init__(self, names: _Names | None = None) -> None:
        self.names: _Names = {} if names is None else names
        self._durable: _Names = dict(self.names)
        self._unsynced: list[dict[str, _Entry | None]] = []

    def change(self, change: dict[str, _Entry | None]) -> None:
        """Give names their entries, or none, in one step."""
        _apply(change, self.names)
        self._unsynced.append(change)

    def sync(self) -> None:
        self._durable = dict(self.names)
        self._unsynced.clear()

    def contents(self) -> list[_Content]:
        return [entry for entry in self.names.values() if isinstance(entry, _Content)]

    def with_subfolders(self, full: str) -> list[tuple[str, _Folder]]:
        found = [(full, self)]
        for name, entry in self.names.items():
            if isinstance(entry, _Folder):
                found += entry.with_subfolders(os.path.join(full, name))
        return found

    def after_power_cut(self, random: random.Random, contents: dict[int, _Content]) -> _Folder:
        """Of what was done since the last sync some was done, not always the first of it."""
        names = dict(self._durable)
        likely = random.choice((0.0, 0.5, 1.0))
        for change in self._unsynced:
            if random.random() < likely:
                _apply(change, names)
        left: _Names = {}
        for name, entry in names.items():
            if isinstance(entry, _Folder):
                left[name] = entry.after_power_cut(random, contents)
            else:  # one file under two names stays one
                if id(entry) not in contents:
                    contents[id(entry)] = entry.after_power_cut(random)
                left[name] = contents[id(entry)]
        return _Folder(left)


_Entry: TypeAlias = "_Content | _Folder"
_Names: TypeAlias = "dict[str, _Entry]"


class _File:
    """An open file of a `FakeDisk`."""

    def __init__(self, disk: FakeDisk, full: str, content: _Content) -> None:
        self._disk = disk
        self._full = full
        self._content = content
        self._closed = False

    @property
    def size(self) -> int:
        self._open()
        return len(self._content.data)

    def write(self, data: Bytes) -> None:
        self._open()
        self._disk._write(self._full, self._content, data)

    def sync(self) -> None:
        self._open()
        self._disk._sync(self._full, self._content)

    def truncate(self, size: int) -> None:
        self._open()
        self._disk._truncate(self._full, self._content, size)

    def close(self) -> None:
        self._closed = True

    def _open(self) -> None:
        self._disk._live()
        if self._closed:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF), self._full)


class _Lock:
    def __init__(self, locks: set[str], full: str) -> None:
        self._locks = locks
        self._full = full

    def close(self) -> None:
        self._locks.discard(self._full)


class _Scratch:
    """A file without a name of a `FakeDisk`."""

    def __init__(self, disk: FakeDisk, nbytes: int) -> None:
        self._disk = disk
        self._data = bytearray(nbytes)
        self.nbytes = nbytes

    def write_at(self, offset: int, data: Bytes) -> None:
        self._disk._begin("write", "scratch file", f" {len(data)} bytes")
        self._data[offset : offset + len(data)] = data
        self._disk._end()

    def read_at(self, offset: int, nbytes: int) -> bytes:
        self._disk._live()
        return bytes(self._data[offset : offset + nbytes])


def _content(folder: _Folder, name: str, full: str) -> _Content:
    entry = folder.names.get(name)
    if entry is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), full)
    if isinstance(entry, _Folder):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), full)
    return entry


def _apply(change: dict[str, _Entry | None], names: _Names) -> None:
    for name, entry in change.items():
        if entry is None:
            names.pop(name, None)
        else:
            names[name] = entry
