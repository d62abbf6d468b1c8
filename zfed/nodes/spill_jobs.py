"""Doing what the pump orders for updates that are received into files; driven by a thread of its own."""

from __future__ import annotations

from pathlib import Path

from zfed.checkpoint import SpillFile
from zfed.errors import CheckpointError
from zfed.nodes.words import (
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
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

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
            return SpillOpened(job.number, SpillFile(self._folder, job.nbytes, spare=job.spare))
        job.file.write(job.offset, job.data)
        return SpillWritten(job.number)
