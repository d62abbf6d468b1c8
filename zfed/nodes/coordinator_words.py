"""What a coordinator's logic wants done, and what it is told came of it; see `words`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from zfed.checkpoint import SpillFile
from zfed.compression import Encoding
from zfed.engine import EvaluationDone, Fold, OpenRound, ResumePoint
from zfed.errors import Flaw
from zfed.facts import EvaluationSkipped
from zfed.nodes.words import (
    Chunks,
    Finish,
    FramesArrived,
    RouteGone,
    SendFrames,
    StopRequested,
    TellFact,
    TimePassed,
)
from zfed.params import ParameterLayout
from zfed.rounds.participation import ParticipationTally
from zfed.strategies import Bounds, Verdict
from zfed.wire.codec import Buffer
from zfed.wire.messages import AssignmentId, Blob
from zfed.wire.roster import KeyId, Roster

# ---- keys and connections ---------------------------------------------------------------------


@dataclass(frozen=True)
class RosterChanged:
    """Other keys are known from now on."""

    roster: Roster


@dataclass(frozen=True)
class DropRoute:
    """End the connection behind this route, whatever is queued on it."""

    route: bytes


# ---- the coordinator's work on numbers and files, done in this order beside the pump --------------


@dataclass(frozen=True)
class ServedVector:
    """A vector that is served beside a model: its bytes and its layout's, and the offers of both."""

    layout: Blob
    description: bytes
    data: Blob
    memory: memoryview


@dataclass(frozen=True)
class Served:
    """A model as it is served: its moving part in memory, the same bytes in its file, and their offer.

    `vectors` are those that the strategy sends beside this version to whoever trains from it, by name.
    """

    blob: Blob
    memory: memoryview
    mapped: memoryview
    vectors: Mapping[str, ServedVector] = field(default_factory=dict)


@dataclass(frozen=True)
class Restored:
    """What a run that is resumed goes on with.

    Attributes:
        point: Where it stands.
        layout: Of its model.
        model: Its last version.
        frozen: As in `FirstModelReady`.
        versions: Older versions that owed evaluations want.
        own_models: Workers' own models that owed evaluations want, by (round, worker).
        skipped: Evaluations that were owed and cannot be done any more.
        seen: All nodes that ever took part.
        here: Those who did not say goodbye.
        damaged: Sentences about newer versions that cannot be used.
        participation: Who took part so far.
    """

    point: ResumePoint
    layout: ParameterLayout
    model: Served
    frozen: Served | None
    versions: Mapping[int, Served]
    own_models: Mapping[tuple[int, str], Served]
    skipped: tuple[EvaluationSkipped, ...]
    seen: frozenset[str]
    here: frozenset[str]
    damaged: tuple[str, ...] = ()
    participation: ParticipationTally = field(default_factory=ParticipationTally)


@dataclass(frozen=True)
class WriteJournal:
    """Append a line to the journal: a hint, without which the run can be resumed as well."""

    record: Mapping[str, Any]
    sync: bool = False


@dataclass(frozen=True)
class RecordEvaluation:
    """Make the journal's line of an evaluation durable."""

    done: EvaluationDone
    record: Mapping[str, Any]


@dataclass(frozen=True)
class ReadFirstModel:
    """Read the first model from the user's file into the run's layout."""

    layout: ParameterLayout


@dataclass(frozen=True)
class InstallFirstModel:
    """Make version 0 of what a node sent: its `model` and `frozen` vectors."""

    layout: ParameterLayout
    node: str
    model: Chunks
    frozen: Chunks


@dataclass(frozen=True)
class BeginRound:
    """Empty the accumulator."""

    opened: OpenRound


@dataclass(frozen=True)
class EncodeModel:
    """Encode a version for the links of one level; the same bytes whenever it is done.

    `key` seeds stochastic rounding.
    """

    version: int
    encoding: Encoding
    key: int


@dataclass(frozen=True)
class InspectUpdate:
    """Look at the numbers of an encoded update: that takes longer than the pump may be away.

    `digest` is that of its bytes, so that the answer is not taken for one about others.
    """

    assignment: AssignmentId
    digest: str
    chunks: Chunks
    encoding: Encoding
    bounds: Bounds


@dataclass(frozen=True)
class FoldUpdate:
    """Add an update to the accumulator: at once, or if `hold` when the round ends, which takes less work.

    `encoding` is that of its bytes, None if they are the vector itself; `broadcast` is how the model that it
    was trained from had been encoded, if it had.
    """

    fold: Fold
    chunks: Chunks
    encoding: Encoding | None = None
    broadcast: EncodeModel | None = None
    hold: bool = False


@dataclass(frozen=True)
class CommitVersion:
    """Make, write and commit the next version; `facts` stand in its commit line.

    Of a version that was made but could not be written (`VersionUnwritten`), only the writing is done again.
    """

    version: int
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class DropVersions:
    """Delete the files of all versions before this one but those to keep: nobody reads them any more."""

    before: int
    keep: frozenset[int]


@dataclass(frozen=True)
class DropUpdates:
    """Remove the files of workers' own models of this round."""

    round: int


Job: TypeAlias = (
    WriteJournal
    | RecordEvaluation
    | ReadFirstModel
    | InstallFirstModel
    | BeginRound
    | EncodeModel
    | InspectUpdate
    | FoldUpdate
    | CommitVersion
    | DropUpdates
    | DropVersions
)


# ---- the coordinator's work on its keys folder, done in the same order -----------------------------------


@dataclass(frozen=True, kw_only=True)
class EnrolNode:
    """Enrol a key with an invitation, durably.

    `route` is where the answer goes, `invitation` the one-time key that was proved there, `key` the text of
    the key that asks to be that of `node`.
    """

    route: bytes
    invitation: KeyId
    node: str
    key: str


@dataclass(frozen=True)
class NodeEnrolled:
    """It is done, now or before; `coordinator` is the text of the coordinator's own key."""

    route: bytes
    node: str
    fingerprint: str
    coordinator: str


@dataclass(frozen=True)
class EnrolmentRefused:
    """This device cannot use this invitation."""

    route: bytes
    node: str
    reason: str


@dataclass(frozen=True)
class EnrolmentUnwritten:
    """The keys folder or the journal could not be written; the device will ask again."""

    route: bytes
    node: str
    reason: str


EnrolmentResult: TypeAlias = NodeEnrolled | EnrolmentRefused | EnrolmentUnwritten

# ---- the coordinator's work on updates that are received into files, done in this order beside both -------


@dataclass(frozen=True)
class OpenSpill:
    """Make a file for an update, and leave some of the disk free."""

    number: int
    nbytes: int
    spare: int


@dataclass(frozen=True)
class WriteSpill:
    """Write bytes that have come."""

    number: int
    file: SpillFile
    offset: int
    data: Buffer


@dataclass(frozen=True)
class ReleaseSpill:
    """Let go of a file."""

    file: SpillFile


SpillJob: TypeAlias = OpenSpill | WriteSpill | ReleaseSpill


@dataclass(frozen=True)
class SpillOpened:
    """The file is there, with all its room."""

    number: int
    file: SpillFile


@dataclass(frozen=True)
class SpillWritten:
    """One `WriteSpill` is done."""

    number: int


@dataclass(frozen=True)
class SpillFailed:
    """The disk is full or broken."""

    number: int
    reason: str


SpillResult: TypeAlias = SpillOpened | SpillWritten | SpillFailed

# ---- what became of jobs ----------------------------------------------------------------------


@dataclass(frozen=True)
class FirstModelReady:
    """Version 0 is on disk. `frozen` is None if the layout has no frozen tensors."""

    source: str
    model: Served
    frozen: Served | None


@dataclass(frozen=True)
class FirstModelFailed:
    """Version 0 could not be made; `node` is whom it came from, empty for a file."""

    node: str
    reason: str


@dataclass(frozen=True)
class ModelEncoded:
    """A version can be served at a level."""

    version: int
    level: str
    served: Served


@dataclass(frozen=True)
class UpdateInspected:
    """An encoded update was looked at; `found` is a flaw if it is refused."""

    assignment: AssignmentId
    digest: str
    found: Verdict | Flaw


@dataclass(frozen=True)
class UpdateFolded:
    """An update is in the accumulator; `own` is the worker's own model, if it was to be kept and could be.

    `digest` is that of its file's content; `problem` says why there is none.
    """

    fold: Fold
    own: Served | None
    digest: str = ""
    problem: str = ""


@dataclass(frozen=True)
class VersionReady:
    """A version is committed."""

    version: int
    model: Served


@dataclass(frozen=True)
class LineUnwritten:
    """A hint could not be written to the journal."""

    reason: str


@dataclass(frozen=True)
class EvaluationRecorded:
    """An evaluation is in the journal."""

    done: EvaluationDone


@dataclass(frozen=True)
class EvaluationUnwritten:
    """An evaluation could not be written to the journal; its evaluator still has it."""

    done: EvaluationDone
    reason: str


@dataclass(frozen=True)
class VersionUnwritten:
    """A version is made, but could not be written; what was committed before is intact."""

    reason: str


@dataclass(frozen=True)
class JobFailed:
    """Something broke that cannot be done again; what was committed is intact."""

    reason: str


JobResult: TypeAlias = (
    FirstModelReady
    | FirstModelFailed
    | ModelEncoded
    | UpdateInspected
    | UpdateFolded
    | VersionReady
    | VersionUnwritten
    | LineUnwritten
    | EvaluationRecorded
    | EvaluationUnwritten
    | JobFailed
)

CoordinatorInput: TypeAlias = (
    FramesArrived
    | RouteGone
    | RosterChanged
    | StopRequested
    | TimePassed
    | JobResult
    | SpillResult
    | EnrolmentResult
)
CoordinatorEffect: TypeAlias = SendFrames | DropRoute | TellFact | Finish | Job | SpillJob | EnrolNode
