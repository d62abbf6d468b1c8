"""Checking files on disk against the catalog.

The whole file is hashed each time. That costs about 0.1 s for MNIST, and there is no record of an earlier
check that could be wrong by now.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from zfed.data.catalog import DataFile
from zfed.errors import DataError

DIGESTS_NAME = "SHA256SUMS"
"""Beside the files, for `sha256sum --check`: what they were when they were fetched and verified."""

_READ_BYTES = 1 << 20


def check_file(path: Path, file: DataFile) -> None:
    """Check that the plain file at `path` is what the catalog says.

    Where the catalog knows the gzipped form only, the digest noted by `record_digests` stands in.

    Raises:
        DataError: If it is missing, has another length or another checksum, or none is known.
    """
    try:
        size = path.stat().st_size
    except OSError as error:
        raise DataError(
            f"{path} is missing" if not path.exists() else f"{path} cannot be read: {error}"
        ) from None
    if size != file.size:
        state = "is truncated" if size < file.size else "is too long"
        raise DataError(f"{path} {state}: it has {size} bytes, expected {file.size}")
    expected = file.sha256 or read_digests(path.parent).get(file.name)
    if expected is None:
        raise DataError(f"{path} cannot be checked: a checksum is known for {file.name}.gz only")
    seen = hash_file(path, "sha256")
    if seen != expected:
        raise DataError(f"{path} is damaged: its sha256 is {seen}, expected {expected}")


def hash_file(path: Path, algorithm: str) -> str:
    """Return the digest of a file in hexadecimal.

    Raises:
        DataError: If the file cannot be read.
    """
    digest = hashlib.new(algorithm, usedforsecurity=False)
    try:
        with path.open("rb") as file:
            while piece := file.read(_READ_BYTES):
                digest.update(piece)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    return digest.hexdigest()


def read_digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 noted for each file in `folder`; empty if none are."""
    try:
        lines = (folder / DIGESTS_NAME).read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return {}
    entries = (line.split() for line in lines)
    return {entry[1]: entry[0] for entry in entries if len(entry) == 2}


def record_digests(folder: Path, digests: Mapping[str, str]) -> None:
    """Note the SHA-256 of files in `folder`, keeping what is noted of others.

    Raises:
        OSError: If the folder cannot be written.
    """
    entries = {**read_digests(folder), **digests}
    partial = folder / f".{DIGESTS_NAME}.{os.getpid()}"
    partial.write_text("".join(f"{entries[name]}  {name}\n" for name in sorted(entries)), encoding="ascii")
    partial.replace(folder / DIGESTS_NAME)
