"""Downloading the gzipped files over HTTP from one of several mirrors."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

from zfed.data.catalog import DataFile
from zfed.data.progress import Progress
from zfed.errors import DataError

SILENCE_S = 10.0
"""A mirror that says nothing for so long is given up."""

FILE_DEADLINE_S = 600.0
"""A mirror may drip, but for one file no longer than this."""

_READ_BYTES = 1 << 16


def download_files(
    files: Sequence[DataFile], mirrors: Sequence[str], folder: Path, progress: Progress
) -> None:
    """Put the gzipped `files` into `folder`, from the first mirror that has them whole.

    What one mirror gave is not asked of the next.

    Args:
        files: Which to get.
        mirrors: Addresses to put before a file's name.
        folder: Exists, and is the caller's alone.
        progress: Told after each piece.

    Raises:
        DataError: If no mirror has them all; names each mirror with its reason.
        OSError: If `folder` cannot be written.
    """
    missing = list(files)
    reasons = []
    for mirror in mirrors:
        try:
            while missing:
                _download(missing[0], mirror, folder, progress)
                del missing[0]
            return
        except DataError as error:
            reasons.append(f"{urlsplit(mirror).netloc}: {error}")
    raise DataError("; ".join(reasons) or "it has no mirrors")


def _download(file: DataFile, mirror: str, folder: Path, progress: Progress) -> None:
    """Get one file; a partial one is left under another name, for the owner of `folder` to remove."""
    name = f"{file.name}.gz"
    partial = folder / f"{name}.part"
    digest = hashlib.md5(usedforsecurity=False)
    give_up = time.monotonic() + FILE_DEADLINE_S
    done = 0
    with partial.open("wb") as output:
        try:
            with urlopen(mirror + name, timeout=SILENCE_S) as response:
                total = response.length
                while piece := response.read1(_READ_BYTES):
                    done += len(piece)
                    if done > file.size:  # compressed data are not longer than plain
                        raise DataError(f"{name} does not end after {file.size} bytes")
                    if time.monotonic() > give_up:
                        raise DataError(f"{name}: only {done} bytes in {FILE_DEADLINE_S:g} s")
                    digest.update(piece)
                    output.write(piece)
                    progress(done, total, name)
        except (OSError, HTTPException, ValueError) as error:
            raise DataError(f"{name}: {error}") from error
    if digest.hexdigest() != file.gzip_md5:
        raise DataError(f"{name}: its md5 is {digest.hexdigest()}, expected {file.gzip_md5}")
    partial.replace(folder / name)
