"""The messages of zfed/1 as frozen records; docs/wire.md says who may send which when.

A record is a message's header. Only CHUNK has a payload beside it. Adding a field with a default is allowed,
changing the meaning of one is not. Every number here is bounded, so that a decoded message is safe to compute
with before anything is believed.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias, get_args

import msgspec
from msgspec import Meta

from zfed.metrics import MergeRule, Metric
from zfed.tags import MOST_TAGS, TAG_PATTERN

PROTOCOL = "zfed/1"
MAX_CHUNK_BYTES = 1 << 20

NODE_NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z"  # \Z: a $ would let a final newline pass

Count: TypeAlias = Annotated[int, Meta(ge=0, lt=1 << 62)]
HeldOut: TypeAlias = Annotated[int, Meta(ge=0, lt=1 << 40)]
"""Examples that are added up over all workers, and must fit 64 bits then."""
Text: TypeAlias = Annotated[str, Meta(max_length=512)]
LongText: TypeAlias = Annotated[str, Meta(max_length=16_384)]
NodeName: TypeAlias = Annotated[str, Meta(pattern=NODE_NAME_PATTERN)]
Digest: TypeAlias = Annotated[str, Meta(pattern=r"^(xxh3-128:[0-9a-f]{32}|sha256:[0-9a-f]{64})\Z")]
BlobName: TypeAlias = Annotated[str, Meta(min_length=1, max_length=128)]
Level: TypeAlias = Annotated[str, Meta(max_length=64)]
"""A level of compression, as `zfed.compression` spells it."""
Patterns: TypeAlias = Annotated[list[Text], Meta(max_length=256)]
"""Names or shell patterns of tensors."""
MetricTable: TypeAlias = Annotated[dict[str, Metric], Meta(max_length=256)]
MergeTable: TypeAlias = Annotated[dict[Text, MergeRule], Meta(max_length=256)]
Tag: TypeAlias = Annotated[str, Meta(pattern=TAG_PATTERN)]
Seconds: TypeAlias = Annotated[float, Meta(ge=0, le=1e9)]
RunKey: TypeAlias = Annotated[str, Meta(pattern=r"^([0-9a-f]{32})?\Z")]
"""Drawn when a run is made; empty where nobody says it. Files are named by it, so it is nothing else."""
AssignmentId: TypeAlias = tuple[Count, Count]
"""Number of a piece of work: (coordinator incarnation, counter); never used twice in a run."""


class Blob(msgspec.Struct, frozen=True, kw_only=True):
    """An offer of bytes: whoever gets it may PULL them; `digest` as in `zfed.wire.digests`."""

    id: BlobName
    bytes: Count
    digest: Digest


class Vector(msgspec.Struct, frozen=True, kw_only=True):
    """A named flat vector: its layout (pulled once per digest) and its bytes, or those of an encoded form."""

    name: Annotated[str, Meta(min_length=1, max_length=64)]
    layout: Blob
    data: Blob
    encoding: Level = "none"


class PartitionClaim(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of a common data set a worker says it holds (see `zfed.partition`)."""

    labels: Annotated[list[Count], Meta(max_length=4096)] | None = None
    spec: Text = "all"
    seed: Count = 0


class Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag=str.upper):
    """Base of all messages; the header's `kind` is the class's name in capitals."""


# ---- a node to the coordinator ----------------------------------------------------------------


class Hello(Message, frozen=True):
    """First on every connection: who asks to join, and what its data are.

    `compression` is what it can decode and encode, `compress` and `compress_model` what it wants for its own
    link, `exact` which tensors its task wants unchanged. Beside its `examples`, `held_out` are kept from
    training, to evaluate on; an evaluator that holds none out never trains. `merge` says how metrics become
    one that are not to be averaged. `tags` are what it is called, to be selected by, and `unready` says why
    it cannot work now.
    """

    protocol: Text
    node: NodeName
    node_kind: Literal["worker", "evaluator"]
    instance: Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\Z")]
    version: Text
    layout: Blob
    examples: Count
    partition: PartitionClaim
    classes: Count = 0
    label_counts: Annotated[dict[Text, Count], Meta(max_length=4096)] | None = None
    compression: Annotated[list[Text], Meta(max_length=16)] = msgspec.field(default_factory=lambda: ["none"])
    compress: Level = ""
    compress_model: Level = ""
    exact: Patterns = []
    held_out: HeldOut = 0
    merge: MergeTable = {}
    tags: Annotated[list[Tag], Meta(max_length=MOST_TAGS)] = []
    unready: Text = ""


class Enroll(Message, frozen=True):
    """With the key of an invitation, and instead of HELLO: let `key` be that of the node `node`.

    `key` is a public key as `zfed keys show` prints it.
    """

    protocol: Text
    node: NodeName
    key: Text


class Pong(Message, frozen=True):
    """Answer to PING, with how far the work at hand is (`work` empty: idle).

    `unready` says why this node cannot take on new work; what is at hand goes on.
    """

    number: Count
    work: Literal["", "download", "train", "upload", "evaluate", "initialize"] = ""
    assignment: AssignmentId | None = None
    done: Count = 0
    total: Count = 0
    metrics: MetricTable = {}
    unready: Text = ""


class Update(Message, frozen=True):
    """The offer of an assignment's result: of TRAIN a `delta`, of INITIALIZE a `model`.

    `examples` is its weight, `seconds` the time the task took, `version` the model version it started from.
    `limited` says which limit of the node's owner ended the work before it was done, if one did.
    """

    assignment: AssignmentId
    version: Count
    vectors: Annotated[list[Vector], Meta(min_length=1, max_length=16)]
    examples: Count = 0
    steps: Count = 0
    seconds: Seconds = 0.0
    metrics: MetricTable = {}
    limited: Text = ""


class Evaluated(Message, frozen=True):
    """The result of an EVALUATE."""

    assignment: AssignmentId
    examples: Count
    seconds: Seconds = 0.0
    metrics: MetricTable = {}


class Failed(Message, frozen=True):
    """The task raised; nothing will come for this assignment.

    With the code "configuration" it refuses the `[train]` table, and will as long as its session lasts.
    """

    assignment: AssignmentId
    error: LongText
    traceback: LongText = ""
    code: Text = ""


class Bye(Message, frozen=True):
    """The node leaves for good; its session is over."""

    reason: Text = ""


# ---- the coordinator to a node ----------------------------------------------------------------


class Welcome(Message, frozen=True):
    """HELLO is accepted; every later message of this session carries `epoch`.

    `announcements` are sentences the node's owner must be shown. Silence of `lost_s` means a lost session.
    Updates travel at the level `compress`, models at `compress_model`, tensors that fit `exact` unchanged.
    `run_key` tells two runs of one name apart: what a node keeps from one does not belong to the other.
    """

    run: Text
    ping_s: Seconds
    lost_s: Seconds
    protected: bool
    announcements: Annotated[list[Text], Meta(max_length=16)] = []
    compress: Level = "none"
    compress_model: Level = "none"
    exact: Patterns = []
    run_key: RunKey = ""


class Enrolled(Message, frozen=True):
    """ENROLL is done, durably; `coordinator` is the coordinator's own public key, to be remembered."""

    node: NodeName
    coordinator: Text


class Ping(Message, frozen=True):
    """Are you there? Answered at once, also while a task computes."""

    number: Count


class Initialize(Message, frozen=True):
    """Draw a first model with this seed and offer it."""

    assignment: AssignmentId
    seed: Count


class Train(Message, frozen=True):
    """Train from this model and offer the delta. `frozen` holds the tensors that never change.

    `settings` is the `[train]` table; `evaluated` says that this worker's own model will be evaluated;
    `cohort` is how many workers get such an order at the same time; `counted` is the last assignment of this
    worker that is part of a committed version, if there is one; `wants` are metrics that the strategy needs.
    """

    assignment: AssignmentId
    round: Count
    version: Count
    model: Vector
    seed: Count
    timeout_s: Seconds
    frozen: Vector | None = None
    vectors: Annotated[list[Vector], Meta(max_length=15)] = []
    settings: dict[str, Any] = {}
    evaluated: bool = False
    cohort: Count = 1
    counted: AssignmentId | None = None
    wants: Annotated[list[Text], Meta(max_length=16)] = []


class Evaluate(Message, frozen=True):
    """Evaluate this model; `subject` is "federated" or the worker whose own model it is."""

    assignment: AssignmentId
    round: Count
    version: Count
    subject: Text
    model: Vector
    frozen: Vector | None = None


class Accepted(Message, frozen=True):
    """The result is received whole and checked. Keep an update until COMMITTED."""

    assignment: AssignmentId


class Committed(Message, frozen=True):
    """The model version that holds this update is on disk: drop the update, keep the task's new state."""

    assignment: AssignmentId
    version: Count


class Cancel(Message, frozen=True):
    """The assignment is no longer wanted: stop it, drop its result, roll the task's state back."""

    assignment: AssignmentId
    reason: Text


class Ended(Message, frozen=True):
    """The run is over."""

    status: Literal["completed", "stopped", "failed"]
    reason: LongText
    rounds_done: Count
    rounds: Count
    version: Count


# ---- either way -------------------------------------------------------------------------------


class Pull(Message, frozen=True):
    """Send me these bytes of a blob you offered: the receiver's credit. Answered by exactly one CHUNK."""

    blob: BlobName
    offset: Count
    bytes: Annotated[int, Meta(ge=1, le=MAX_CHUNK_BYTES)]


class Chunk(Message, frozen=True):
    """Bytes of a blob from `offset`; they are the payload, as many as were pulled."""

    blob: BlobName
    offset: Count


class Done(Message, frozen=True):
    """All of the blob has arrived and its digest is right: advice, which zfed itself does not give."""

    blob: BlobName


class Refused(Message, frozen=True):
    """Something is not accepted; `code` is for programs, `reason` for people.

    `about` is "hello" (the session is over and the node ends), "update" (drop it and roll back) or "blob"
    (it cannot be pulled here).
    """

    about: Literal["hello", "update", "blob"]
    code: Text
    reason: LongText
    assignment: AssignmentId | None = None
    blob: Text = ""


FromNode: TypeAlias = (
    Hello | Enroll | Pong | Update | Evaluated | Failed | Bye | Pull | Chunk | Done | Refused
)
FromCoordinator: TypeAlias = (
    Welcome
    | Enrolled
    | Ping
    | Initialize
    | Train
    | Evaluate
    | Accepted
    | Committed
    | Cancel
    | Ended
    | Pull
    | Chunk
    | Done
    | Refused
)
AnyMessage: TypeAlias = FromNode | FromCoordinator

FROM_NODE = {record.__name__.upper(): record for record in get_args(FromNode)}
FROM_COORDINATOR = {record.__name__.upper(): record for record in get_args(FromCoordinator)}
