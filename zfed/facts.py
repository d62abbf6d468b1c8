"""What a node tells whoever watches it: a closed list of records, for terminals, pipes and services alike.

The engines return facts; they never print or log. An observer is any callable that takes one fact.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import msgspec

from zfed.metrics import Metrics


class Fact(msgspec.Struct, frozen=True, kw_only=True, tag_field="fact", tag=True):
    """Base of all facts; as JSON, `fact` names the record."""


class CoordinatorStarted(Fact, frozen=True):
    """A coordinator listens. `protected` is False when traffic is neither encrypted nor authenticated.

    `strategy` says with which options updates become a model. They travel at the level `compress`, models at
    `compress_model`, unless a node wishes otherwise.
    """

    run: str
    directory: str
    address: str
    rounds: int
    protected: bool
    strategy: str = ""
    compress: str = "none"
    compress_model: str = "none"


class NodeStarted(Fact, frozen=True):
    """A worker or evaluator has loaded its data and is about to connect.

    Beside its `examples` it has `held_out` more, to evaluate on; then an evaluator trains on its examples.
    `leaving` lists, in words, every fact about its data that leaves the machine.
    """

    node: str
    kind: str
    coordinator: str
    examples: int
    partition: str
    label_counts: Mapping[str, int] | None
    leaving: list[str]
    notes: list[str]
    protected: bool
    held_out: int = 0


class Connecting(Fact, frozen=True):
    """No coordinator has answered yet; `remaining_s` until this node gives up (None: never).

    `address` is the one that is tried at the moment, `others` are those that are tried before and after it.
    """

    address: str
    elapsed_s: float
    remaining_s: float | None
    others: list[str] = []


class Connected(Fact, frozen=True):
    """A coordinator has welcomed this node; `announcements` are sentences for the node's owner.

    This node's updates travel at the level `compress`, models at `compress_model`.
    """

    run: str
    address: str
    announcements: list[str]
    compress: str = "none"
    compress_model: str = "none"


class Disconnected(Fact, frozen=True):
    """The coordinator is lost; the node goes on trying to reach it."""

    reason: str


class StateNoted(Fact, frozen=True):
    """What this node's task keeps from round to round was not kept, or not found, as it should be."""

    node: str
    note: str


class NodeJoined(Fact, frozen=True):
    """A node was admitted.

    `held_out` and its examples are as in `NodeStarted`. `tags` are what it is called; of those that it
    claims, `ignored_tags` do not count, for it was enrolled otherwise. `unready` says why it cannot work now.
    """

    node: str
    kind: str
    examples: int
    partition: str
    label_counts: Mapping[str, int] | None
    rejoined: bool
    held_out: int = 0
    tags: list[str] = []
    ignored_tags: list[str] = []
    unready: str = ""


class ReadinessChanged(Fact, frozen=True):
    """A node that is here says why it cannot take on new work; `unready` is empty if it can again."""

    node: str
    kind: str
    unready: str


class NodeLeft(Fact, frozen=True):
    """A node went away: it said so, or stopped answering."""

    node: str
    kind: str
    reason: str


class NodeRefused(Fact, frozen=True):
    """Somebody asked to join and was refused."""

    node: str
    code: str
    reason: str


class NodeEnrolled(Fact, frozen=True):
    """A device has used its invitation; at the device, `address` is the coordinator's."""

    node: str
    fingerprint: str
    address: str = ""


class Waiting(Fact, frozen=True):
    """The run, or a node's work, stands still; `missing` says for whom or what.

    `remaining_s` until it is given up (None: never).
    """

    missing: str
    remaining_s: float | None


class ModelReady(Fact, frozen=True):
    """The first model is there; `source` is a file or a node."""

    source: str
    parameters: int
    bytes: int
    tensors: int
    layout: str


class UploadsPlanned(Fact, frozen=True):
    """What the memory budget means for the run's model; `origin` says in words where the budget comes from.

    `reserved` bytes are kept for the model and what becomes of it; `in_memory` updates can be received at the
    same time, and if those take long `on_disk` more into files. `strategy` keeps `kept` updates of a version
    until it is made, in `kept_bytes` of what is reserved; 0 if it sums them.
    """

    budget: int
    origin: str
    reserved: int
    in_memory: int
    on_disk: int
    strategy: str = ""
    kept: int = 0
    kept_bytes: int = 0


class NoRoomToSpill(Fact, frozen=True):
    """Updates that wait for memory cannot be received into files; `reason` says where, how much, and why."""

    reason: str
    retry_s: float


class RunResumed(Fact, frozen=True):
    """A run goes on where an earlier start left it.

    `start` counts the coordinator's starts. `torn_bytes` of the journal's last line were never finished and
    are dropped; `damaged` tells, in sentences, of newer versions that cannot be used. `awaited` are workers
    that were here.
    """

    run: str
    start: int
    version: int
    round: int
    rounds: int
    torn_bytes: int
    damaged: list[str]
    awaited: list[str]


class NotWritten(Fact, frozen=True):
    """Something could not be written to the run directory; tried again after `retry_s`, if it is not 0."""

    what: str
    reason: str
    retry_s: float = 0.0


class RoundOpened(Fact, frozen=True):
    """A cohort was asked for a round's work; `attempt` counts from 1.

    It is of `candidates` after so many `draws`; 0 if nobody was drawn, for the attempt is open again.
    """

    round: int
    rounds: int
    version: int
    cohort: list[str]
    attempt: int
    candidates: int = 0
    draws: int = 0


class Progress(Fact, frozen=True):
    """How far one node is with its part of a round; `stage` is download, train, upload or evaluate."""

    node: str
    round: int
    stage: str
    done: int
    total: int
    metrics: Metrics


class UpdateAccepted(Fact, frozen=True):
    """An update was checked and counts; `limited`: its node's owner ended the work early, by that limit.

    A `root` one is an evaluator's, which others are compared with.
    """

    node: str
    round: int
    examples: int
    steps: int
    seconds: float
    bytes: int
    metrics: Metrics
    limited: str = ""
    root: bool = False


class UpdateRefused(Fact, frozen=True):
    """An update does not count; `reason` names worker, round, tensor and remedy.

    At the coordinator `assignment` is that of the update; `tensor`, `seen` and `limit` are what `reason` says
    in words, empty if it is not about such. `round` is 0 for a first model.
    """

    node: str
    round: int
    code: str
    reason: str
    assignment: tuple[int, int] | None = None
    tensor: str = ""
    seen: str = ""
    limit: str = ""


class WorkerBenched(Fact, frozen=True):
    """A worker is not asked any more in this run: so many `strikes` of its updates were refused."""

    node: str
    round: int
    strikes: int
    reason: str


class TaskFailed(Fact, frozen=True):
    """A task raised at a node; `traceback` is whole at the node and shortened at the coordinator."""

    node: str
    round: int
    work: str
    error: str
    traceback: str


class WorkLimited(Fact, frozen=True):
    """This node's owner lets the training of a round take no longer: it ended with what there was."""

    node: str
    round: int
    limited: str
    steps: int
    seconds: float


class WorkGivenUp(Fact, frozen=True):
    """A node gives up its work: its round is over by now, and no coordinator says what of it."""

    node: str
    work: str
    waited_s: float


class RoundRetried(Fact, frozen=True):
    """Attempt `attempt` of `attempts` got too few updates and committed nothing; the next one follows."""

    round: int
    attempt: int
    attempts: int
    answered: list[str]
    missing: list[str]
    needed: int


class WorkerRound(msgspec.Struct, frozen=True, kw_only=True):
    """One worker's part of a committed round.

    `norm` is the L2 norm of what it learned, `limited` the limit of its owner that ended its work early,
    `staleness` how many versions its model was behind.
    """

    examples: int
    steps: int
    seconds: float
    metrics: Metrics
    norm: float = 0.0
    limited: str = ""
    staleness: int = 0


class RoundCommitted(Fact, frozen=True):
    """A new model version is on disk.

    `seconds` runs from the round's opening to its commit; bytes are payload bytes of models and updates;
    `weights` are the updates' weights as shares of 1, in the order of `workers`; `train` is the
    example-weighted mean of the workers' metrics; `missing` are cohort members that did not count; `refused`
    counts the updates that were refused since the last commit, by code.
    """

    round: int
    rounds: int
    version: int
    seconds: float
    bytes_down: int
    bytes_up: int
    workers: list[str]
    weights: list[float]
    missing: list[str]
    train: Metrics
    per_worker: dict[str, WorkerRound]
    refused: dict[str, int] = {}


class WorkerPart(msgspec.Struct, frozen=True, kw_only=True):
    """How often one worker took part, and how much of the model comes from it.

    Attributes:
        node: The worker.
        asked: Versions for which it was asked, as far as they were made: it took part, or is missing.
        counted: Versions that hold an update of it.
        late: Updates that came when nobody wanted them any more.
        refused: Updates that were refused for what was in them.
        share: Mean over all versions of its share of their weights, 0 where it did not take part.
    """

    node: str
    asked: int
    counted: int
    late: int
    refused: int
    share: float


class Participation(Fact, frozen=True):
    """How often each worker took part in a run so far, in all its starts; in the order of their names."""

    versions: int
    workers: list[WorkerPart]


class Evaluated(Fact, frozen=True):
    """A model was evaluated; `subject` is "federated" or the worker whose own model it was.

    `version` is that of the federated model. With `validation`, the data decide which version is best, so
    that the result flatters it.
    """

    round: int
    subject: str
    evaluator: str
    examples: int
    metrics: Metrics
    version: int = 0
    validation: bool = False


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """How one metric differs between workers; the median is of the workers, not of their examples."""

    worst: float
    worst_worker: str
    median: float
    best: float
    best_worker: str


class WorkersEvaluated(Fact, frozen=True):
    """A version was evaluated by `workers`, each on what it held out.

    `metrics` are merged over all their `examples`, `spread` has those of which it is known which way is
    better; `missing` are workers that were asked and did not answer, with the reason. With `validation`, the
    data decide which version is best, so that the result flatters it.
    """

    round: int
    version: int
    workers: list[str]
    examples: int
    metrics: Metrics
    spread: dict[str, Spread]
    missing: list[str]
    validation: bool = False


class NothingToWatch(Fact, frozen=True):
    """An evaluation has no number of the name that is to be watched; it has those `reported`."""

    round: int
    metric: str
    reported: list[str]


class BestVersion(msgspec.Struct, frozen=True, kw_only=True):
    """The version with the best value of the metric that is watched, and in whose evaluation."""

    metric: str
    value: float
    round: int
    version: int
    watched_on: str


class EvaluationSkipped(Fact, frozen=True):
    """An evaluation that was owed will not be done."""

    round: int
    subject: str
    reason: str


class DoorCounts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What came to a coordinator's door since it was started; only what is not zero.

    Attributes:
        keys: Handshakes `admitted`, `refused` for a key that is not enrolled, or `malformed`.
        connections: Those that never shook hands, `unfinished`, broken in the middle (`protocol`) or for the
            key (`keys`), and those that were ended for a message that did not end (`endless`) or because none
            came (`silent`).
        messages: Dropped ones, by the limit in `[limits]` that they were beyond, or `malformed`; and the
            `sessions` and `staging` that were refused.
        nodes: Refused ones, by code.
    """

    keys: dict[str, int] = {}
    connections: dict[str, int] = {}
    messages: dict[str, int] = {}
    nodes: dict[str, int] = {}

    @property
    def kept_out(self) -> dict[str, int]:
        """How much of each kind was kept out, and of which kind anything was."""
        keys = sum(count for name, count in self.keys.items() if name != "admitted")
        kinds = {
            "keys": keys,
            **{kind: sum(getattr(self, kind).values()) for kind in ("connections", "messages", "nodes")},
        }
        return {kind: count for kind, count in kinds.items() if count}


class RunEnded(Fact, frozen=True):
    """The run is over. `status` is completed, stopped (somebody asked) or failed.

    `evaluated` is False if no evaluator ever answered; `model`, `metrics` are paths at the coordinator ("" at
    other nodes or if there is none); `plot` is the path of the curves, if they were drawn; `door` is what a
    coordinator kept out. `best` is the best version, if a metric was watched, `best_model` its path.
    """

    status: str
    reason: str
    rounds_done: int
    rounds: int
    version: int
    evaluated: bool
    model: str
    metrics: str
    plot: str
    protected: bool
    door: DoorCounts = DoorCounts()
    best: BestVersion | None = None
    best_model: str = ""


AnyFact: TypeAlias = (
    CoordinatorStarted
    | NodeStarted
    | Connecting
    | Connected
    | Disconnected
    | StateNoted
    | NodeJoined
    | ReadinessChanged
    | NodeEnrolled
    | NodeLeft
    | NodeRefused
    | Waiting
    | UploadsPlanned
    | NoRoomToSpill
    | ModelReady
    | RunResumed
    | NotWritten
    | RoundOpened
    | Progress
    | UpdateAccepted
    | UpdateRefused
    | WorkerBenched
    | TaskFailed
    | WorkLimited
    | WorkGivenUp
    | RoundRetried
    | RoundCommitted
    | Participation
    | Evaluated
    | WorkersEvaluated
    | NothingToWatch
    | EvaluationSkipped
    | RunEnded
)

Observer: TypeAlias = Callable[[Fact], None]


def to_builtins(fact: Fact) -> dict[str, Any]:
    """The fact as a JSON-ready dict with its name under "fact"."""
    plain: dict[str, Any] = msgspec.to_builtins(fact)
    return plain


def from_builtins(plain: object) -> AnyFact:
    """The fact that `to_builtins` made this from.

    Raises:
        msgspec.ValidationError: If it is none.
    """
    fact: AnyFact = msgspec.convert(plain, AnyFact)
    return fact
