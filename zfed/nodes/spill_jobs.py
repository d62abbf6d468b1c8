"""Doing what the pump orders for updates that are received into files; driven by a thread of its own."""

from __future__ import annotations

from pathlib import Path

from zfed.checkpoint import OS_DISK, Disk, SpillFile
from zfed.errors import CheckpointError
from zfed.nodes.coordinator_words import (
    OpenSpill,
    ReleaseSpill,
    SpillFailed,
    SpillJob,
    SpillOpened,
    SpillResult,
    SpillWritten,
    WriteSpill,
)


class SpillJobs:
    """Makes, fills and lets go of the files.

    Args:
        folder: Where they lie, without names.
        disk: Where the folder is.
    """

    def __init__(self, folder: Path, *, disk: Disk = OS_DISK) -> None:
        self._folder = folder
        self._disk = disk

    def perform(self, job: SpillJob) -> SpillResult | None:
        """Do one job; a disk that is full or broken becomes a `SpillFailed`."""
        if isinstance(job, ReleaseSpill):
            return None  # the job was the last to refer to its file: to free a large one takes a while
        try:
            return self._store(job)
        except CheckpointError as error:
            return SpillFailed(job.number, str(error))

    def _store(self, job: OpenSpill | WriteSpill) -> SpillResult:
        if isinstance(job, OpenSpill):
            return SpillOpened(job.number, self._opened(job))
        job.file.write(job.offset, job.data)
        return SpillWritten(job.number)

    def _opened(self, job: OpenSpill) -> SpillFile:
        return SpillFile(self._folder, job.nbytes, spare=job.spare, disk=self._disk)
