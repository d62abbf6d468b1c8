"""What a worker's or evaluator's logic wants done, and what it is told came of it; see `words`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from zfed.compression import Encoding
from zfed.metrics import Metrics
from zfed.nodes.words import (
    EncodedVector,
    Finish,
    FramesArrived,
    RouteGone,
    SendFrames,
    StopRequested,
    TellFact,
    TimePassed,
)
from zfed.params import ParameterBuffer
from zfed.wire.messages import AssignmentId


@dataclass(frozen=True, kw_only=True)
class Work:
    """One assignment for the task. `parameters` has the moving and frozen parts filled in.

    If the model came in encoded form, that is `encoded`, and whoever does the work decodes it into the moving
    part. `upload` is how the update is to be encoded, None if it is not.
    """

    kind: Literal["initialize", "train", "evaluate"]
    assignment: AssignmentId
    seed: int = 0
    round: int = 0
    version: int = 0
    parameters: ParameterBuffer | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    vectors: Mapping[str, ParameterBuffer] = field(default_factory=dict)
    wants: tuple[str, ...] = ()
    encoded: EncodedVector | None = None
    upload: Encoding | None = None


@dataclass(frozen=True)
class Connect:
    """Open a new connection to the coordinator."""

    address: str


@dataclass(frozen=True)
class Disconnect:
    """Close the connection."""


@dataclass(frozen=True)
class StartWork:
    """Give an assignment to the task; it is idle."""

    work: Work


@dataclass(frozen=True)
class StopWork:
    """Ask the task to stop this assignment; it answers with WorkStopped or its result."""

    assignment: AssignmentId


@dataclass(frozen=True)
class SaveAgain:
    """Try again to make durable what an assignment left; as `StartWork` it is answered."""

    assignment: AssignmentId


@dataclass(frozen=True)
class EnterRun:
    """Orders are of another run from now on: the task goes on with what it kept of that one."""

    key: str


@dataclass(frozen=True)
class KeepState:
    """The coordinator committed this assignment: the task's state after it becomes current."""

    assignment: AssignmentId


@dataclass(frozen=True)
class DropState:
    """This assignment does not count: forget the task's state after it."""

    assignment: AssignmentId


@dataclass(frozen=True)
class SettleState:
    """An order to train from `version` is here: what earlier assignments left is decided now.

    `counted` is the last one that counts; those that started from an older version and are not that one
    never will.
    """

    counted: AssignmentId
    version: int


@dataclass(frozen=True)
class RenameState:
    """The update of one assignment is offered under another now: so is the task's state after it."""

    old: AssignmentId
    new: AssignmentId


@dataclass(frozen=True)
class ResultVector:
    """A named vector to offer; `layout` and `data` are immutable bytes with their digests."""

    name: str
    layout: memoryview
    layout_digest: str
    data: memoryview
    data_digest: str
    encoding: str = "none"


@dataclass(frozen=True, kw_only=True)
class WorkDone:
    """The task has finished an assignment; `limited` is the owner's limit that ended it early, if one did."""

    assignment: AssignmentId
    vectors: tuple[ResultVector, ...]
    examples: int
    steps: int
    seconds: float
    metrics: Metrics
    limited: str = ""


@dataclass(frozen=True, kw_only=True)
class WorkRaised:
    """The task raised; `code` is "configuration" if it refuses what it was asked to do, else empty."""

    assignment: AssignmentId
    error: str
    traceback: str
    code: str = ""


@dataclass(frozen=True)
class WorkStopped:
    """The task stopped an assignment because it was asked to."""

    assignment: AssignmentId


@dataclass(frozen=True)
class WorkUnsaved:
    """The task has finished an assignment, but what it left cannot be made durable now."""

    assignment: AssignmentId
    reason: str


@dataclass(frozen=True)
class WorkNote:
    """Something about what the task keeps, that the node's owner must know."""

    text: str


@dataclass(frozen=True)
class ReadinessSaid:
    """This node can work now (`unready` is empty), or cannot, and why."""

    unready: str


@dataclass(frozen=True, kw_only=True)
class WorkProgress:
    """The task said how far it is."""

    assignment: AssignmentId
    done: int
    total: int
    metrics: Metrics


Stage: TypeAlias = Literal["download", "initialize", "train", "evaluate", "upload"]


@dataclass(frozen=True)
class Phase:
    """What a member is in the middle of.

    `subject` is whose model is to be evaluated, empty if none is; `bytes` are those to be moved, as far as
    they are known.
    """

    stage: Stage
    assignment: AssignmentId
    round: int
    subject: str = ""
    bytes: int = field(default=0, compare=False)


MemberInput: TypeAlias = (
    FramesArrived
    | RouteGone
    | StopRequested
    | TimePassed
    | WorkDone
    | WorkRaised
    | WorkStopped
    | WorkProgress
    | WorkUnsaved
    | WorkNote
    | ReadinessSaid
)
MemberEffect: TypeAlias = (
    SendFrames
    | TellFact
    | Finish
    | Connect
    | Disconnect
    | StartWork
    | StopWork
    | SaveAgain
    | EnterRun
    | KeepState
    | DropState
    | SettleState
    | RenameState
)
