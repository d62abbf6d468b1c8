"""Models of a run that are read back: their numbers are those that the journal names, or they are refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from zfed.checkpoint.digest import Digests, digests_of
from zfed.checkpoint.disk import Disk
from zfed.checkpoint.run_files import RunFiles
from zfed.checkpoint.safetensors_file import map_model, read_model
from zfed.errors import CheckpointError
from zfed.params import ParameterBuffer
from zfed.params.dtypes import Array


class SavedModel(NamedTuple):
    """A model file that holds what it should; `model` is read-only."""

    model: ParameterBuffer
    digests: Digests


class SavedVersion(NamedTuple):
    """A version to go on from.

    Attributes:
        version: Its number.
        model: Its model, in memory, read-only.
        digests: The model's.
        state: The strategy's arrays, read-only; empty if it keeps none.
        record: Its `committed` line.
        damaged: Sentences about newer versions that were refused.
    """

    version: int
    model: ParameterBuffer
    digests: Digests
    state: dict[str, Array]
    record: Mapping[str, Any]
    damaged: tuple[str, ...] = ()


def read_saved(path: Path, digest: str, *, disk: Disk) -> SavedModel:
    """Read a whole file into memory and check its numbers.

    Raises:
        CheckpointError: If it is missing, damaged, or holds other numbers than those with this digest.
    """
    model = read_model(path, disk=disk)
    digests = digests_of(model)
    if digests.content != digest:
        raise CheckpointError(f"{path} holds numbers with digest {digests.content}, committed were {digest}")
    return SavedModel(model, digests)


def map_saved(path: Path, digest: str, *, disk: Disk) -> SavedModel:
    """Check a whole file, then map its moving tensors; memory for one copy is needed meanwhile.

    It is read first because a broken disk is an error then; in a mapping it would end the process.

    Raises:
        CheckpointError: As `read_saved`.
    """
    digests = read_saved(path, digest, disk=disk).digests
    return SavedModel(map_model(path, moving_only=True, disk=disk), digests)


def newest_intact(
    files: RunFiles, committed: Mapping[int, Mapping[str, Any]], *, disk: Disk
) -> SavedVersion | None:
    """The newest version whose model and state are what was committed; None if none was committed.

    Args:
        files: Of the run.
        committed: By version, the `committed` lines that count.
        disk: Where it is.

    Raises:
        CheckpointError: If versions were committed and none is intact.
    """
    damaged: list[str] = []
    for version, record in sorted(committed.items(), reverse=True):
        try:
            return _read_version(files, version, record, tuple(damaged), disk)
        except CheckpointError as error:
            # Older ones may have been dropped on purpose, the newest never is
            if not damaged or _is_there(files, version, disk):
                damaged.append(str(error))
    if not damaged:
        return None
    raise CheckpointError(
        f"no version that was committed can be read back: {'; '.join(damaged)}. Put a copy of one in its"
        " place, or begin a new run with --run DIR"
    )


def _read_version(
    files: RunFiles, version: int, record: Mapping[str, Any], damaged: tuple[str, ...], disk: Disk
) -> SavedVersion:
    model, digests = read_saved(files.model_path(version), record["model"], disk=disk)
    state: dict[str, Array] = {}
    if record["state"]:
        state = dict(read_saved(files.state_path(version), record["state"], disk=disk).model)
    return SavedVersion(version, model, digests, state, record, damaged)


def _is_there(files: RunFiles, version: int, disk: Disk) -> bool:
    try:
        return disk.exists(files.model_path(version))
    except OSError:
        return True
