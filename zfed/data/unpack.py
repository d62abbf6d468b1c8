"""Making a verified plain file out of what a source gave, plain or gzipped."""

from __future__ import annotations

import gzip
import hashlib
import os
import zlib
from collections.abc import Iterator
from pathlib import Path

from zfed.data.catalog import DataFile
from zfed.data.progress import Progress
from zfed.data.verify import hash_file
from zfed.errors import DataError

_READ_BYTES = 1 << 20


def unpack_file(file: DataFile, source: Path, target: Path, progress: Progress) -> str:
    """Write `target`, the plain and verified form of `file` found in the folder `source`, synced to disk.

    The gzipped form need not be the publisher's own if the checksum of the plain one is known: packagers
    compress again.

    Returns:
        Its SHA-256.

    Raises:
        DataError: If neither form is there and right; says why. `target` may then hold anything.
        OSError: If `target` cannot be written.
    """
    complaints = []
    for path in (source / file.name, source / f"{file.name}.gz"):
        if path.is_file():
            try:
                return _unpack(file, path, target, progress)
            except DataError as error:
                complaints.append(str(error))
    raise DataError("; ".join(complaints) or f"{file.name} is missing there, plain and as .gz")


def _unpack(file: DataFile, path: Path, target: Path, progress: Progress) -> str:
    if file.sha256 is None:
        _check_gzipped(file, path)
    digest = hashlib.sha256(usedforsecurity=False)
    done = 0
    with target.open("wb") as output:
        for piece in _read_pieces(path):
            done += len(piece)
            if done > file.size:  # also the end of a file that unpacks without end
                break
            digest.update(piece)
            output.write(piece)
            progress(done, file.size, file.name)
        output.flush()
        os.fsync(output.fileno())
    if done != file.size:
        state = "is too long" if done > file.size else f"is truncated: it has {done} bytes"
        raise DataError(f"{path} {state}, expected {file.size} bytes")
    seen = digest.hexdigest()
    if file.sha256 not in (None, seen):
        raise DataError(f"{path} is damaged: its sha256 is {seen}, expected {file.sha256}")
    return seen


def _check_gzipped(file: DataFile, path: Path) -> None:
    if path.suffix != ".gz":
        raise DataError(f"{path} cannot be checked: a checksum is known for {file.name}.gz only")
    seen = hash_file(path, "md5")
    if seen != file.gzip_md5:
        raise DataError(f"{path} is damaged: its md5 is {seen}, expected {file.gzip_md5}")


def _read_pieces(path: Path) -> Iterator[bytes]:
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as content:
            while piece := content.read(_READ_BYTES):
                yield piece
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
