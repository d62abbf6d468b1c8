"""The words of the round engines: events in, actions out.

`engine.handle(event, now) -> list[Action]`. An engine knows nodes by name and work by assignment; whoever
drives it turns actions into messages, numbers and files, and what comes of them into events. `now` is
seconds of a clock that only goes forward.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias

from zfed.errors import Flaw
from zfed.facts import BestVersion, Fact, RoundCommitted
from zfed.metrics import Metrics
from zfed.strategies.contribution import Contribution
from zfed.wire.messages import AssignmentId

Status: TypeAlias = Literal["completed", "stopped", "failed"]

# ---- events -----------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class NodeReady:
    """A node was admitted, for the first time or again, or is called otherwise now.

    `examples` is the largest weight it may claim; it keeps `held_out` more from training, to evaluate on
    them. An evaluator that holds none out never trains. `unready` says why it cannot work now; empty if it
    can.
    """

    node: str
    kind: Literal["worker", "evaluator"]
    examples: int
    tags: tuple[str, ...] = ()
    unready: str = ""
    held_out: int = 0


@dataclass(frozen=True, kw_only=True)
class NodeReadiness:
    """A node that is here can work again, or says why it cannot; what it has under way goes on."""

    node: str
    unready: str


@dataclass(frozen=True, kw_only=True)
class NodeGone:
    """A node's session is over. `left` is True if it said goodbye: then nobody waits for it to come back."""

    node: str
    left: bool
    reason: str


@dataclass(frozen=True, kw_only=True)
class ModelLoaded:
    """The first model is on disk as version 0; `source` says where it came from."""

    source: str


@dataclass(frozen=True, kw_only=True)
class ModelUnusable:
    """The first model could not be had; `node` is whom it was asked of, empty for a file."""

    node: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class UpdateStaged:
    """An update is here whole and checked.

    `bytes` is its size, `seconds` the time its task took, `largest` the largest |value| of its floats, `norm`
    the L2 norm of what was learned, `limited` the limit of its node's owner that ended the work early.
    """

    node: str
    assignment: AssignmentId
    examples: int
    steps: int
    seconds: float
    bytes: int
    largest: float
    norm: float
    metrics: Metrics
    limited: str = ""


@dataclass(frozen=True, kw_only=True)
class UpdateUnfit:
    """An update that was wanted is not acceptable."""

    node: str
    assignment: AssignmentId
    flaw: Flaw


@dataclass(frozen=True, kw_only=True)
class OfferStale:
    """An update was offered that nobody wants (any more), and its worker was told so."""

    node: str
    assignment: AssignmentId


@dataclass(frozen=True, kw_only=True)
class Folded:
    """An accepted update is in the accumulator.

    `own_model` is the digest of the worker's own model, empty if none was kept.
    """

    assignment: AssignmentId
    own_model: str = ""


@dataclass(frozen=True, kw_only=True)
class VersionCommitted:
    """The round's model version is on disk."""

    version: int
    bytes_down: int
    bytes_up: int


@dataclass(frozen=True, kw_only=True)
class CommitFailed:
    """The round's model version could not be written; the last one is intact.

    If `again`, the version is made and only has to be written: the same `Commit` may be tried again.
    """

    reason: str
    again: bool = False


@dataclass(frozen=True, kw_only=True)
class WorkFailed:
    """A task raised; nothing will come for this assignment. `code` as in FAILED."""

    node: str
    assignment: AssignmentId
    error: str
    traceback: str
    code: str = ""


@dataclass(frozen=True, kw_only=True)
class EvaluationDone:
    """An evaluator answered."""

    node: str
    assignment: AssignmentId
    examples: int
    metrics: Metrics


@dataclass(frozen=True, kw_only=True)
class CannotRun:
    """This run cannot be done on this machine; `reason` is for the person who started it."""

    reason: str


@dataclass(frozen=True, kw_only=True)
class StopAsked:
    """Somebody wants the run to stop."""

    reason: str


@dataclass(frozen=True, kw_only=True)
class Tick:
    """Time passed."""


Event: TypeAlias = (
    NodeReady
    | NodeReadiness
    | NodeGone
    | ModelLoaded
    | ModelUnusable
    | UpdateStaged
    | UpdateUnfit
    | OfferStale
    | Folded
    | VersionCommitted
    | CommitFailed
    | WorkFailed
    | EvaluationDone
    | CannotRun
    | StopAsked
    | Tick
)

# ---- what a run is resumed from -----------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class OwedEvaluation:
    """An evaluation that was wanted and is not done; `own_model` is the digest of a worker's own model.

    One that a `worker` shall make has the subject "workers"; all others are an evaluator's.
    """

    assignment: AssignmentId
    round: int
    version: int
    subject: str
    own_model: str = ""
    worker: str = ""


@dataclass(frozen=True, kw_only=True)
class WorkerAnswer:
    """What a worker found of a version that others may still be at work on."""

    round: int
    version: int
    node: str
    examples: int
    metrics: Metrics


@dataclass(frozen=True, kw_only=True)
class PastEvaluation:
    """What was found of a version; the subject as in the facts."""

    round: int
    version: int
    subject: str
    metrics: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class OpenPart:
    """What one worker was asked: `round` and `version` are its order's, `examples` what it declared."""

    node: str
    assignment: AssignmentId
    examples: int
    round: int
    version: int


@dataclass(frozen=True, kw_only=True)
class OpenAttempt:
    """An attempt at a round that was open; its parts are `ResumePoint.under_way`, but for its root update."""

    round: int
    number: int
    goal: int
    root: OpenPart | None = None


@dataclass(frozen=True, kw_only=True)
class ResumePoint:
    """Where a run stands: its last committed version, and what was going on since.

    Attributes:
        version: The last committed version.
        round: The round that made it.
        value_range: Largest |value| of an update of the next round; None if no commit has shown one.
        norms: The median norm of each version's updates, oldest first.
        strikes: How many updates of each worker were refused for what was in them.
        committed: The last assignment of each worker that counts, and the version it became part of.
        owed: Evaluations that are not done, oldest first.
        answers: Of those that workers make, what came already.
        evaluations: Those that are done, in the order in which they were recorded.
        evaluated: Whether any evaluation ever came back.
        evaluator_seen: Whether an evaluator ever took part.
        present: The workers that were here last.
        attempt: The attempt that was open, if there was one.
        under_way: What was asked and had not counted, for the attempt that was open or before.
    """

    version: int
    round: int
    value_range: float | None = None
    norms: tuple[float, ...] = ()
    strikes: Mapping[str, int] = field(default_factory=dict)
    committed: Mapping[str, tuple[AssignmentId, int]] = field(default_factory=dict)
    owed: tuple[OwedEvaluation, ...] = ()
    answers: tuple[WorkerAnswer, ...] = ()
    evaluations: tuple[PastEvaluation, ...] = ()
    evaluated: bool = False
    evaluator_seen: bool = False
    present: tuple[str, ...] = ()
    attempt: OpenAttempt | None = None
    under_way: tuple[OpenPart, ...] = ()


# ---- actions ----------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class LoadModel:
    """Read the first model from the file that the user named."""


@dataclass(frozen=True, kw_only=True)
class AskModel:
    """Ask a node to draw the first model."""

    node: str
    assignment: AssignmentId


@dataclass(frozen=True, kw_only=True)
class OpenRound:
    """Start a round (or start it again) with an empty accumulator; comes before its `AskTrain`s.

    `parts` are what it is made of: orders that follow, and those of earlier rounds that go on; `goal` of them
    close it. `updates` is the most that may be here until its version is made, 0 if there is no such bound.
    Its workers are of `candidates` after so many `draws`; 0: nobody was drawn, it is open again.
    `grid` is the accumulator's step q, `value_range` the largest |value| an update may hold, `max_norm` the
    largest norm it may have; `root` is what an evaluator is asked for, if the strategy needs that.
    """

    round: int
    attempt: int
    version: int
    parts: tuple[OpenPart, ...]
    goal: int
    updates: int
    grid: float
    value_range: float
    max_norm: float
    candidates: int = 0
    draws: int = 0
    root: OpenPart | None = None

    @property
    def cohort(self) -> tuple[str, ...]:
        """The workers."""
        return tuple(part.node for part in self.parts)


@dataclass(frozen=True, kw_only=True)
class Enlist:
    """A worker joins a round that is open; comes before its `AskTrain`."""

    part: OpenPart


@dataclass(frozen=True, kw_only=True)
class AskTrain:
    """Ask a node for its update, one of a `cohort` of so many.

    `counted` is the node's last assignment that is part of a committed version.
    """

    node: str
    assignment: AssignmentId
    round: int
    version: int
    evaluated: bool
    cohort: int = 1
    counted: AssignmentId | None = None


@dataclass(frozen=True, kw_only=True)
class Accept:
    """Tell a node that its update is received and checked."""

    node: str
    assignment: AssignmentId


@dataclass(frozen=True, kw_only=True)
class Fold:
    """Add an accepted update to the accumulator; `keep`: also write the worker's own model.

    A `root` update is an evaluator's, which the strategy gets beside those of the workers.
    """

    node: str
    assignment: AssignmentId
    round: int
    update: Contribution
    keep: bool
    root: bool = False


@dataclass(frozen=True, kw_only=True)
class Keep:
    """Keep an accepted update, which is for a later round, until its `Fold`."""

    assignment: AssignmentId


@dataclass(frozen=True, kw_only=True)
class Refuse:
    """Tell a node that its update does not count, and forget it."""

    node: str
    assignment: AssignmentId
    code: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Cancel:
    """Tell a node that an assignment is not wanted any more, and forget what came for it."""

    node: str
    assignment: AssignmentId
    reason: str


@dataclass(frozen=True, kw_only=True)
class Commit:
    """Make and write the next model version from the accumulator, which holds these workers' updates.

    All else is for the journal's line, from which a run is resumed: the workers' assignments, the value range
    of the next round, the median norm of the updates, the evaluations that are owed once this version is
    there, what there is to tell, and the evaluator's assignment whose update was the root one.
    """

    round: int
    version: int
    workers: tuple[str, ...]
    assignments: tuple[AssignmentId, ...]
    value_range: float
    norm: float
    evaluations: tuple[OwedEvaluation, ...]
    summary: RoundCommitted
    root: OpenPart | None = None


@dataclass(frozen=True, kw_only=True)
class TellCommitted:
    """Tell a node that its update is part of a committed version."""

    node: str
    assignment: AssignmentId
    version: int


@dataclass(frozen=True, kw_only=True)
class AskEvaluate:
    """Ask an evaluator how good a model is; `subject` is "federated" or a worker's name."""

    node: str
    assignment: AssignmentId
    round: int
    version: int
    subject: str


Ask: TypeAlias = AskModel | AskTrain | AskEvaluate
"""An order: given again under its number, it changes nothing."""


@dataclass(frozen=True, kw_only=True)
class ReleaseModels:
    """No evaluation needs models of this round any more."""

    round: int


@dataclass(frozen=True, kw_only=True)
class Tell:
    """Tell whoever watches."""

    fact: Fact


@dataclass(frozen=True, kw_only=True)
class EndRun:
    """The run is over; `best` is its best version, if a metric was watched."""

    status: Status
    reason: str
    rounds_done: int
    version: int
    evaluated: bool
    best: BestVersion | None = None


Action: TypeAlias = (
    LoadModel
    | AskModel
    | OpenRound
    | Enlist
    | AskTrain
    | Accept
    | Keep
    | Fold
    | Refuse
    | Cancel
    | Commit
    | TellCommitted
    | AskEvaluate
    | ReleaseModels
    | Tell
    | EndRun
)


class Engine(Protocol):
    """What every round engine is."""

    @property
    def next_wake(self) -> float | None:
        """When a `Tick` has something to do, if no other event comes before."""

    def handle(self, event: Event, now: float) -> list[Action]:
        """Take an event; return what is to be done, in this order."""
