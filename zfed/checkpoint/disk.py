"""What zfed asks of a disk, and the real one.

Everything that a run keeps goes through a `Disk`: so a simulation can forget what was not synced, tear what
was half written and stop a process between any two steps, and the code under test is the code that runs.

Rules, which are those of a POSIX file system:

1. What was written outlives the process at once, and a power cut only once its file is synced.
2. A name (of a file made, renamed, linked or removed) outlives a power cut only once its folder is synced.
3. After a failed `sync` nobody knows what is on the disk: the system may drop what it could not write.

Every method may raise OSError; `zfed.checkpoint.os_errors` makes sentences of it.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import shutil
import tempfile
import weakref
from pathlib import Path
from typing import Final, Protocol, TypeAlias

Bytes: TypeAlias = "bytes | memoryview"
"""Views are contiguous and of single bytes."""


class Closeable(Protocol):
    """Something held until it is closed."""

    def close(self) -> None:
        """Let go of it; more than once does no harm."""


class DiskFile(Closeable, Protocol):
    """A file that is written from front to back; owned by one thread."""

    @property
    def size(self) -> int:
        """Its length in bytes."""

    def write(self, data: Bytes) -> None:
        """Write all of it at the end; if that fails, a part of it may be there."""

    def sync(self) -> None:
        """Make what was written outlive a power cut."""

    def truncate(self, size: int) -> None:
        """Cut it to `size` bytes."""


class ScratchFile(Protocol):
    """A file without a name, gone with the object; its room is taken when it is made.

    Stretches may be written and read from different threads.
    """

    def write_at(self, offset: int, data: Bytes) -> None:
        """Write all of it from byte `offset` on."""

    def read_at(self, offset: int, nbytes: int) -> bytes:
        """Read from byte `offset` on; fewer bytes at the end of the file."""


class Disk(Protocol):
    """Folders and files by their names; may be used from several threads."""

    def make_folder(self, path: Path) -> None:
        """Make a folder in one that is there; FileExistsError if something has its name."""

    def entries(self, folder: Path) -> list[str]:
        """The names in a folder, sorted."""

    def exists(self, path: Path) -> bool:
        """True if there is a file or folder of this name."""

    def read(self, path: Path) -> bytes:
        """All bytes of a file. A broken disk is an OSError here, and the process's end in a mapping."""

    def map(self, path: Path) -> memoryview:
        """All bytes of a file, read-only, from the page cache; its name may be removed or replaced."""

    def create(self, path: Path) -> DiskFile:
        """Make an empty file; FileExistsError if something has its name."""

    def append(self, path: Path) -> DiskFile:
        """Open a file to go on at its end; made if it is not there."""

    def replace(self, source: Path, path: Path) -> None:
        """Rename a file, in one step, whatever file had the new name."""

    def link(self, source: Path, path: Path) -> None:
        """Give a file a second name, which nothing may have yet."""

    def remove(self, path: Path) -> None:
        """Remove a file's name."""

    def sync_folder(self, folder: Path) -> None:
        """Make the names in a folder outlive a power cut."""

    def free(self, folder: Path) -> int:
        """Bytes that can still be written on the disk that holds a folder."""

    def lock(self, path: Path) -> Closeable:
        """Hold a lock, which ends with the process; BlockingIOError if another holds it.

        The file `path` is made for it and stays; what is in it names the holder, for people.
        """

    def scratch(self, folder: Path, nbytes: int) -> ScratchFile:
        """A nameless file of `nbytes`, at least 1, on the disk that holds a folder."""


class OsDisk:
    """The disk of this machine.

    Files are opened by their own names only: where another user of the machine may write, a name could be a
    link to something of this user's, which would be appended to or cut.

    Args:
        file_mode: Permissions of files that it creates, whatever the umask; None leaves them to the umask.
        folder_mode: Permissions of folders that it makes, of which the umask may take some away.
    """

    def __init__(self, *, file_mode: int | None = None, folder_mode: int = 0o777) -> None:
        self._file_mode = file_mode
        self._folder_mode = folder_mode

    def make_folder(self, path: Path) -> None:
        """As `Disk.make_folder`."""
        path.mkdir(self._folder_mode)

    def entries(self, folder: Path) -> list[str]:
        """As `Disk.entries`."""
        return sorted(os.listdir(folder))

    def exists(self, path: Path) -> bool:
        """As `Disk.exists`."""
        return path.exists()

    def read(self, path: Path) -> bytes:
        """As `Disk.read`."""
        return path.read_bytes()

    def map(self, path: Path) -> memoryview:
        """As `Disk.map`. The file must not be cut meanwhile: that ends the process with SIGBUS."""
        with open(path, "rb") as file:
            if not os.fstat(file.fileno()).st_size:
                return memoryview(b"")  # nothing cannot be mapped
            # What is made of the view keeps the mapping alive
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))

    def create(self, path: Path) -> DiskFile:
        """As `Disk.create`."""
        file = _OsFile(path, os.O_EXCL, 0o666 if self._file_mode is None else self._file_mode)
        if self._file_mode is not None:
            file.set_mode(self._file_mode)  # the umask can only have taken some of it away
        return file

    def append(self, path: Path) -> DiskFile:
        """As `Disk.append`."""
        return _OsFile(path, 0, 0o666)

    def replace(self, source: Path, path: Path) -> None:
        """As `Disk.replace`."""
        os.replace(source, path)

    def link(self, source: Path, path: Path) -> None:
        """As `Disk.link`."""
        os.link(source, path)

    def remove(self, path: Path) -> None:
        """As `Disk.remove`."""
        path.unlink()

    def sync_folder(self, folder: Path) -> None:
        """As `Disk.sync_folder`."""
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def free(self, folder: Path) -> int:
        """As `Disk.free`."""
        return shutil.disk_usage(folder).free

    def lock(self, path: Path) -> Closeable:
        """As `Disk.lock`, by flock. On a network file system it may not reach other machines."""
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        file = open(os.open(path, flags, 0o666), "a+b", buffering=0)  # noqa: SIM115  # as long as it is held
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            file.truncate(0)
            file.write(b"%d\n" % os.getpid())
        except BaseException:
            file.close()
            raise
        return file

    def scratch(self, folder: Path, nbytes: int) -> ScratchFile:
        """As `Disk.scratch`."""
        return _OsScratch(folder, nbytes)


class _OsFile:
    """A file open for appending, without a buffer of Python's: that would be lost with the process."""

    def __init__(self, path: Path, flags: int, mode: int) -> None:
        flags |= os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        self._descriptor = os.open(path, flags, mode)

    @property
    def size(self) -> int:
        return os.fstat(self._descriptor).st_size

    def write(self, data: Bytes) -> None:
        rest = memoryview(data)
        while rest:  # a nearly full disk takes a part and refuses only the next write
            rest = rest[os.write(self._descriptor, rest) :]

    def sync(self) -> None:
        os.fsync(self._descriptor)

    def truncate(self, size: int) -> None:
        os.ftruncate(self._descriptor, size)

    def set_mode(self, mode: int) -> None:
        os.fchmod(self._descriptor, mode)

    def close(self) -> None:
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)


class _OsScratch:
    """A file that never had a name; its room is taken at once, so a full disk is met before it is used.

    In a sparse file a full disk would be met as a hole that nothing can fill.
    """

    def __init__(self, folder: Path, nbytes: int) -> None:
        file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115  # closed with this object
        self._descriptor = file.fileno()
        close = weakref.finalize(self, file.close)
        try:
            os.posix_fallocate(self._descriptor, 0, nbytes)
        except OSError:
            close()
            raise

    def write_at(self, offset: int, data: Bytes) -> None:
        rest = memoryview(data)
        while rest:
            written = os.pwrite(self._descriptor, rest, offset)
            offset, rest = offset + written, rest[written:]

    def read_at(self, offset: int, nbytes: int) -> bytes:
        return os.pread(self._descriptor, nbytes, offset)


OS_DISK: Final = OsDisk()

PRIVATE_DISK: Final = OsDisk(file_mode=0o600, folder_mode=0o700)
"""The disk of this machine, for what no other user of it may see."""
