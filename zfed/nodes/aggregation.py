"""The coordinator's numbers and files: what the pump must not wait for.

`Aggregation.perform(job)` does one job and returns what became of it. Jobs come in order and one at a time,
from whichever thread drives it; nothing here knows of sockets or of time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from zfed.checkpoint import RunDirectory, read_model
from zfed.compression.codec import Bytes
from zfed.errors import CheckpointError, LayoutError, ZfedError
from zfed.nodes.ahead import ahead
from zfed.nodes.coordinator_words import (
    BeginRound,
    CommitVersion,
    DropUpdates,
    DropVersions,
    EncodeModel,
    EvaluationRecorded,
    EvaluationUnwritten,
    FirstModelFailed,
    FirstModelReady,
    FoldUpdate,
    InspectUpdate,
    InstallFirstModel,
    Job,
    JobFailed,
    JobResult,
    LineUnwritten,
    ModelEncoded,
    ReadFirstModel,
    RecordEvaluation,
    Restored,
    Served,
    ServedVector,
    UpdateFolded,
    VersionReady,
    VersionUnwritten,
    WriteJournal,
)
from zfed.nodes.encoded_updates import inspect, joined
from zfed.nodes.restoring import restored_run, served_frozen
from zfed.params import BufferPool, ParameterBuffer, ParameterLayout
from zfed.params.dtypes import Array
from zfed.strategies import Strategy, apply_delta
from zfed.wire.codec import Buffer
from zfed.wire.digests import blob_of, layout_blob
from zfed.wire.messages import Blob

SMALL_MODEL_BYTES: Final = 4 << 20
"""A new model up to this size is made before it is written: to start a thread would take longer."""


class Aggregation:
    """Owns a run's current model, its strategy and its directory.

    Args:
        directory: Where everything is written.
        strategy: How updates become a model; not started yet.
        initial: The user's first model, if there is one.
    """

    def __init__(self, directory: RunDirectory, strategy: Strategy, *, initial: Path | None = None) -> None:
        self.directory = directory
        self.strategy = strategy
        self.initial = initial
        self.model: ParameterBuffer | None = None
        self._pool = BufferPool()
        self._unwritten: ParameterBuffer | None = None

    def restore(self) -> Restored | None:
        """Go on from the newest version that is on disk as it was written; None if there is none yet.

        Comes before any job.

        Raises:
            CheckpointError: If versions were committed and none can be used, or the state is of another
                strategy.
        """
        saved = self.directory.newest_intact()
        if saved is None:
            return None
        self.strategy.start(saved.model)
        self.strategy.restore(saved.state)
        self._version, self.model = saved.version, saved.model.read_only()
        served = self._served(saved.version, saved.digests.moving)
        return restored_run(self.directory, saved, served)

    def perform(self, job: Job) -> JobResult | None:
        """Do one job. An error that a person can mend becomes the result that says so."""
        try:
            match job:
                case WriteJournal():
                    return self._write_line(job)
                case RecordEvaluation():
                    return self._record_evaluation(job)
                case ReadFirstModel():
                    return self._read_first_model(job.layout)
                case InstallFirstModel():
                    return self._install_first_model(job)
                case BeginRound():
                    self.strategy.open_round(job.opened.grid)
                case EncodeModel():
                    return self._encode(job)
                case InspectUpdate():
                    return inspect(job)
                case FoldUpdate():
                    return self._fold(job)
                case CommitVersion():
                    return self._commit(job)
                case DropUpdates():
                    self.directory.drop_updates(job.round)
                case DropVersions():
                    self.directory.drop_versions(job.before, keep=job.keep)
        except ZfedError as error:
            return JobFailed(str(error))
        return None

    def finish(self) -> Path | None:
        """Put the model that the run ends with where its owner finds it; None if there is no model."""
        return None if self.model is None else self.directory.publish_final_model(self._version)

    def publish_best(self, version: int) -> Path:
        """Put the run's best version where its owner finds it."""
        return self.directory.publish_best_model(version)

    def _read_first_model(self, layout: ParameterLayout) -> JobResult:
        if self.initial is None:
            return FirstModelFailed("", "no file was given for the first model")
        try:
            given = read_model(self.initial)
            buffer = ParameterBuffer.filled(layout, given)
        except (CheckpointError, LayoutError) as error:
            return FirstModelFailed("", f"--initial {self.initial}: {error}")
        return self._install(buffer, str(self.initial))

    def _install_first_model(self, job: InstallFirstModel) -> JobResult:
        buffer = ParameterBuffer.zeros(job.layout)
        _copy(job.model, buffer.moving)
        _copy(job.frozen, buffer.frozen)
        return self._install(buffer, job.node)

    def _install(self, buffer: ParameterBuffer, source: str) -> FirstModelReady | VersionUnwritten:
        self.strategy.start(buffer)
        try:
            served = self._write_version(0, buffer, {"source": source})
        except CheckpointError as error:
            return self._not_written(error)
        return FirstModelReady(source, served, served_frozen(buffer))

    def _write_line(self, job: WriteJournal) -> LineUnwritten | None:
        try:
            self.directory.journal.append(dict(job.record), sync=job.sync)
        except CheckpointError as error:
            return LineUnwritten(str(error))
        return None

    def _record_evaluation(self, job: RecordEvaluation) -> JobResult:
        try:
            self.directory.journal.append(dict(job.record), sync=True)
        except CheckpointError as error:
            return EvaluationUnwritten(job.done, str(error))
        return EvaluationRecorded(job.done)

    def _fold(self, job: FoldUpdate) -> UpdateFolded:
        fold = job.fold
        if fold.root:
            self.strategy.accumulate_root(fold.update, job.chunks)
        elif job.encoding is not None:
            data = joined(job.chunks, job.encoding)
            self.strategy.accumulate_encoded(fold.update, partial(job.encoding.accumulate, data))
        else:
            add = self.strategy.hold if job.hold else self.strategy.accumulate
            add(fold.update, job.chunks)
        if not fold.keep:
            return UpdateFolded(fold, None)
        try:
            return self._own_model(job)
        except CheckpointError as error:  # the update counts all the same
            return UpdateFolded(fold, None, problem=str(error))

    def _own_model(self, job: FoldUpdate) -> UpdateFolded:
        """Keep the worker's own model: what it trained from plus its delta."""
        base, fold = self._current, job.fold
        if job.broadcast is not None:
            base = base.copy()
            job.broadcast.encoding.decode(self._encoded(job.broadcast), base.moving)
        own = apply_delta(base, _delta(job, base.layout.moving))
        digests = self.directory.save_update(fold.round, fold.node, own)
        mapped = self.directory.map_update(fold.round, fold.node).data.data
        blob = Blob(id=f"update:{fold.round}:{fold.node}", bytes=len(mapped), digest=digests.moving)
        return UpdateFolded(fold, Served(blob, mapped, mapped), digests.content)

    def _encode(self, job: EncodeModel) -> ModelEncoded:
        level, data = job.encoding.level, self._encoded(job).data
        return ModelEncoded(
            job.version, level, Served(blob_of(f"model:{job.version}:{level}", data), data, data)
        )

    def _encoded(self, job: EncodeModel) -> Bytes:
        """The encoded form of a version, also of one that is not the current one any more."""
        if job.version == self._version:
            model = self._current.moving
        else:
            model = self.directory.map_version(job.version)
        return job.encoding.encode_once(model, key=job.key)

    def _commit(self, job: CommitVersion) -> VersionReady | VersionUnwritten:
        """Make, write and commit a version; one that could not be written before is only written.

        If its numbers cannot be made the run ends: the strategy may be a round ahead of the last version.
        """
        new, numbers = self._unwritten, None
        if new is None:
            new = self._pool.take(self._current.layout)
            numbers = self._new_numbers(new)
        try:
            served = self._write_version(job.version, new, job.facts, numbers)
        except CheckpointError as error:
            for _ in numbers or ():  # the rest of it, and the strategy's state that belongs to it
                pass
            self._unwritten = new
            return self._not_written(error)
        self._unwritten = None
        return VersionReady(job.version, served)

    def _not_written(self, error: CheckpointError) -> VersionUnwritten:
        if self.directory.journal.closed:
            raise error  # nobody knows what is on the disk: only a new start can look
        return VersionUnwritten(str(error))

    def _new_numbers(self, new: ParameterBuffer) -> Iterator[Array]:
        """End the round into `new`; yields its moving bytes piece by piece, each as soon as it is final.

        So the next piece is made while the one before is hashed and written, from the cache.
        """
        model, moving = self._current, new.moving.data
        if new.layout.nbytes <= SMALL_MODEL_BYTES:
            self.strategy.finish_into(new, model, lambda start, stop: None)
            yield moving
            return
        stretches: Iterator[tuple[int, int]] = ahead(
            lambda done: self.strategy.finish_into(new, model, lambda start, stop: done((start, stop))),
            "zfed-new-model",
        )
        for start, stop in stretches:
            yield moving[start:stop]

    def _write_version(
        self,
        version: int,
        buffer: ParameterBuffer,
        facts: Mapping[str, Any],
        moving: Iterator[Array] | None = None,
    ) -> Served:
        """Model, state, then the one line that makes them the current version."""
        model = self.directory.save_model(version, buffer, moving=moving)
        state = self.directory.save_state(version, self.strategy.state)
        facts = {**facts, "largest_delta": self.strategy.largest_delta}
        self.directory.commit(version=version, model=model.content, state=state, facts=facts)
        self.model = buffer.read_only()
        self._version = version
        return self._served(version, model.moving)

    def _served(self, version: int, digest: str) -> Served:
        memory = self._current.moving.data.data
        mapped = self.directory.map_version(version).data.data
        blob = Blob(id=f"model:{version}", bytes=len(memory), digest=digest)
        return Served(blob, memory, mapped, self._served_vectors(version))

    def _served_vectors(self, version: int) -> dict[str, ServedVector]:
        """What the strategy sends beside the current version. Made from its state, so the same on resume."""
        vectors = {}
        for name, vector in self.strategy.vectors.items():
            description, data = vector.layout.to_bytes(), vector.read_only().data.data
            layout = layout_blob(f"layout:vector:{name}", description)
            vectors[name] = ServedVector(layout, description, blob_of(f"vector:{version}:{name}", data), data)
        return vectors

    @property
    def _current(self) -> ParameterBuffer:
        if self.model is None:
            raise CheckpointError("there is no model yet")
        return self.model


def _delta(job: FoldUpdate, layout: ParameterLayout) -> ParameterBuffer:
    if job.encoding is not None:
        return job.encoding.decode(joined(job.chunks, job.encoding))
    delta = ParameterBuffer.zeros(layout)
    _copy(job.chunks, delta)
    return delta


def _copy(chunks: Iterable[tuple[int, Buffer]], part: ParameterBuffer) -> None:
    for offset, data in chunks:
        part.data[offset : offset + len(data)] = np.frombuffer(data, np.uint8)
