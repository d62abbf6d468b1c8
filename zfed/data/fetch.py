"""Getting a data set onto this machine, so that what lies under its name is always whole and right.

Each file is made in a folder of its own beside the target, verified, synced, and only then renamed to its
name. So a kill at any instant leaves complete files or none, and two processes that fetch at once put the
same bytes in place twice.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from zfed.data.catalog import DataFile, Dataset, default_root, find_dataset
from zfed.data.progress import Progress, ignore_progress
from zfed.data.sources import Source, folder_source, public_sources
from zfed.data.unpack import unpack_file
from zfed.data.verify import check_file, record_digests
from zfed.errors import DataError

_WORKSPACE_PREFIX = ".fetch-"
_ABANDONED_S = 24 * 3600.0


def get_dataset(
    name: str, root: Path | None = None, *, folder: Path | None = None, progress: Progress = ignore_progress
) -> Path:
    """Make sure that a data set is on this machine, and return the folder of its plain files.

    Files that are there and intact are not fetched again, and if all are, no network is touched.

    Args:
        name: A name in the catalog.
        root: Folder for data sets, made if need be; None is `default_root()`.
        folder: Take the files from here, plain or gzipped, and from nowhere else; None tries the public
            sources one after the other.
        progress: Told how far it is.

    Raises:
        UsageError: If there is no such data set.
        DataError: If a file could not be had; names each source with its reason. Files that could be had are
            in place all the same.
    """
    dataset = find_dataset(name)
    root = default_root() if root is None else root
    target = dataset.folder(root)
    missing = missing_files(dataset, target)
    if not missing:
        return target
    complaints = []
    try:
        target.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(target.parent)
        for source in _sources(dataset, root, folder):
            complaints.append(f"{source.title}: {_fetch_from(source, missing, target, progress)}")
            missing = missing_files(dataset, target)
            if not missing:
                return target
    except OSError as error:
        raise DataError(f"{name}: cannot write below {root}: {error}") from error
    raise DataError(_explain(dataset, target, missing, complaints))


def missing_files(dataset: Dataset, target: Path) -> list[DataFile]:
    """Return the files that are not in the folder `target`, or not intact."""
    return [file for file in dataset.all_files if not _is_intact(target / file.name, file)]


def _is_intact(path: Path, file: DataFile) -> bool:
    try:
        check_file(path, file)
    except DataError:
        return False
    return True


def _sources(dataset: Dataset, root: Path, folder: Path | None) -> list[Source]:
    if folder is not None:
        return [folder_source(dataset, folder)]
    # what torchvision left there gzipped comes before any network
    kept = [folder_source(dataset, root)] if any(dataset.folder(root).glob("*.gz")) else []
    return [*kept, *public_sources(dataset)]


def _fetch_from(source: Source, files: Sequence[DataFile], target: Path, progress: Progress) -> str:
    """Put in place what `source` has of `files`; return what it had to say of the rest."""
    complaints = []
    digests = {}
    with TemporaryDirectory(
        prefix=_WORKSPACE_PREFIX, dir=target.parent, ignore_cleanup_errors=True
    ) as workspace:
        made = Path(workspace, "made")
        given = Path(workspace, "given")
        made.mkdir()
        given.mkdir()
        try:
            found = source.fetch(files, given, progress)
        except DataError as error:
            return str(error)
        for file in files:
            try:
                digests[file.name] = unpack_file(file, found, made / file.name, progress)
            except DataError as error:
                complaints.append(str(error))
            else:
                (made / file.name).replace(target / file.name)
        record_digests(target, digests)
    return "; ".join(complaints)


def _remove_abandoned(parent: Path) -> None:
    """Remove the workspaces of processes that were killed; the age spares those of running ones."""
    for workspace in parent.glob(f"{_WORKSPACE_PREFIX}*"):
        try:
            age_s = time.time() - workspace.stat().st_mtime
        except OSError:
            continue  # its owner has just removed it
        if age_s > _ABANDONED_S:
            shutil.rmtree(workspace, ignore_errors=True)


def _explain(dataset: Dataset, target: Path, missing: Sequence[DataFile], complaints: Sequence[str]) -> str:
    ready = [split for split, files in dataset.files.items() if not set(files) & set(missing)]
    return "\n".join(
        [
            f"{dataset.name}: could not get {', '.join(file.name for file in missing)}",
            *(f"  the {split} part is ready in {target}" for split in ready),
            *(f"  {complaint}" for complaint in complaints),
            f"  Remedy: put the missing files, plain or as .gz, into a folder and run "
            f"`zfed data get {dataset.name} --from FOLDER`",
        ]
    )
