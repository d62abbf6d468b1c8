"""Files that decide who is let in: read and written so that no other user of the machine has a say in it.

A secret is for its owner's eyes; the other files may be read by all, so that what `sudo zfed enroll` wrote is
read by a coordinator that is not root.
"""

from __future__ import annotations

import fcntl
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from zfed.checkpoint import OsDisk, translated, write_atomically
from zfed.errors import CheckpointError, UsageError

_LARGEST: Final = 64 << 20
"""Bytes of a file that is read; 100,000 enrolled keys have a third of it."""

_LOCK_S: Final = 10.0
"""Seconds to wait for somebody else's edit, which takes milliseconds."""

_SECRET_DISK: Final = OsDisk(file_mode=0o600)
_PUBLIC_DISK: Final = OsDisk(file_mode=0o644)


def read_file(path: Path, *, secret: bool = False) -> tuple[str, os.stat_result] | None:
    """A file's text, and how the file was when it was opened; None if there is no such file.

    Raises:
        UsageError: If another user may write it or its folder, or read it though it is `secret`; or if it is
            no UTF-8 text, or not of a sensible size.
        CheckpointError: If it cannot be read.
    """
    with translated(f"cannot read {path}"):
        try:
            # Without O_NONBLOCK a pipe of this name would be waited for
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            return None
        with open(descriptor, "rb") as file:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise UsageError(f"{path} is no file")
            _check_own(path, found, secret=secret)
            check_folder(path.parent)
            data = file.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise UsageError(f"{path} has more than {_LARGEST} bytes; is it the right file?")
    try:
        return data.decode("utf-8"), found
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{path} is not UTF-8 text: byte {error.start} is {data[error.start]:#04x}"
        ) from None


def write_file(path: Path, text: str, *, secret: bool = False) -> None:
    """Write a file whole or not at all, durably, with the right mode whatever the umask.

    Raises:
        UsageError: If another user may write its folder.
        CheckpointError: If it cannot be written.
    """
    check_folder(path.parent)
    data = text.encode()
    write_atomically(path, [data], len(data), disk=_SECRET_DISK if secret else _PUBLIC_DISK)


def make_folder(path: Path) -> None:
    """Make a folder that is its owner's alone, if it is not there.

    Raises:
        CheckpointError: If it cannot be made.
    """
    with translated(f"cannot make {path}"):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            path.mkdir(mode=0o700)
        except FileExistsError:
            return
        path.chmod(0o700)  # a umask may have taken even the owner's part away
        _PUBLIC_DISK.sync_folder(path.parent)


def check_folder(path: Path) -> None:
    """See that only its owner can put files into a folder.

    Raises:
        UsageError: If others can.
        CheckpointError: If it cannot be looked at.
    """
    with translated(f"cannot read {path}"):
        _check_own(path, path.stat())


@contextmanager
def edited(path: Path) -> Iterator[None]:
    """Hold `path` for an edit: a lock on a file beside it, since the file itself is replaced.

    Its folder is made if need be.

    Raises:
        UsageError: If another user may write its folder.
        CheckpointError: If somebody else holds it for longer than an edit takes.
    """
    make_folder(path.parent)
    check_folder(path.parent)
    lock = path.with_name(f"{path.name}.lock")
    with translated(f"cannot lock {path}"):
        descriptor = os.open(lock, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    try:
        with translated(f"cannot lock {path}"):
            _wait_for_lock(descriptor, path)
        yield
    finally:
        os.close(descriptor)


def _wait_for_lock(descriptor: int, path: Path) -> None:
    until = time.monotonic() + _LOCK_S
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                raise CheckpointError(
                    f"{path} has been edited by another process for {_LOCK_S:g} s; which one, "
                    f"`fuser {path}.lock` says"
                ) from None
            time.sleep(0.02)


def _check_own(path: Path, found: os.stat_result, *, secret: bool = False) -> None:
    if found.st_uid not in (os.geteuid(), 0):
        raise UsageError(
            f"{path} belongs to another user (uid {found.st_uid}): `chown {os.geteuid()} {path}`"
        )
    others = found.st_mode & (0o077 if secret else 0o022)
    if others & 0o022:
        raise UsageError(f"others may write {path} (mode {_mode(found)}): `chmod go-w {path}`")
    if others:
        raise UsageError(
            f"others may read the secret in {path} (mode {_mode(found)}): `chmod 600 {path}`; if others were "
            "there, make another key"
        )


def _mode(found: os.stat_result) -> str:
    return f"{stat.S_IMODE(found.st_mode):04o}"
