"""One order of a worker or evaluator, from the pull of what it names to the task's answer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

from zfed.compression import Encoding
from zfed.nodes.download import Download
from zfed.nodes.member_words import Phase, Work, WorkProgress
from zfed.wire.messages import AssignmentId, Evaluate, Initialize, Pong, Train

Order: TypeAlias = Initialize | Train | Evaluate

GRACE_S = 5.0


@dataclass
class Job:
    """The order at hand: pulling its vectors, at work in the task, or waiting for the task to stop.

    Attributes:
        order: It may get another number while it is at hand.
        download: What it names.
        upload: How its update is to be encoded, None if it is not.
        number: Under which the task works on it, once it does.
        progress: What the task said last.
        until: When it is given up, and once the task is to stop when that is.
        unsaved: Why what the work left is not durable yet, although it is done.
        save_at: When that is tried again; never while it is being tried.
    """

    order: Order
    download: Download
    upload: Encoding | None = None
    stage: Literal["download", "work", "stopping"] = "download"
    number: AssignmentId | None = None
    progress: WorkProgress | None = None
    until: float = math.inf
    unsaved: str = ""
    save_at: float = math.inf

    @property
    def name(self) -> str:
        """The work in words, as "training of round 3"."""
        order = self.order
        if isinstance(order, Initialize):
            return "making the first model"
        kind = "training" if isinstance(order, Train) else f"evaluation of {order.subject}"
        return f"{kind} of round {order.round}"

    @property
    def time_s(self) -> float:
        """How long it may take. Its coordinator ends it sooner, if it is still there."""
        return self.order.timeout_s + GRACE_S if isinstance(self.order, Train) else math.inf

    def arm(self, now: float) -> None:
        """Give it all its time, from now on."""
        if self.stage != "stopping":
            self.until = now + self.time_s

    def works_on(self, order: Order) -> bool:
        """Whether what is being done is what an order asks for, maybe under another number."""
        if self.stage == "download":
            return same_work(self.order, order) and names_the_same(self.order, order)
        return self.stage == "work" and same_work(self.order, order)

    @property
    def phase(self) -> Phase:
        """What is being done for the order."""
        order = self.order
        subject = order.subject if isinstance(order, Evaluate) else ""
        if self.stage == "download":
            return Phase("download", order.assignment, round_of(order), subject, self.download.nbytes)
        return Phase(word(order), order.assignment, round_of(order), subject)

    def pong(self, number: int) -> Pong:
        """The answer to a PING."""
        if self.stage == "download":
            return Pong(
                number=number,
                work="download",
                assignment=self.order.assignment,
                done=self.download.nreceived,
                total=self.download.nbytes,
            )
        progress = self.progress
        return Pong(
            number=number,
            work=word(self.order),
            assignment=self.order.assignment,
            done=progress.done if progress else 0,
            total=progress.total if progress else 0,
            metrics=progress.metrics if progress else {},
        )

    def begin(self) -> Work:
        """Hand the order to the task, under the number that it has now."""
        self.stage = "work"
        self.number = self.order.assignment
        return _work(self.order, self.download, self.upload)


def word(order: Order) -> Literal["train", "evaluate", "initialize"]:
    """What an order asks for."""
    if isinstance(order, Train):
        return "train"
    return "evaluate" if isinstance(order, Evaluate) else "initialize"


def round_of(order: Order) -> int:
    """The round of an order, 0 of the first model."""
    return 0 if isinstance(order, Initialize) else order.round


def same_work(one: Order, other: Order) -> bool:
    """Whether two orders ask for the same first model, or for the same training.

    Its seed follows from round, node and version. A coordinator that fell back to an older version may make
    another one of the same number, so the models are compared too.
    """
    if isinstance(one, Initialize) and isinstance(other, Initialize):
        return one.seed == other.seed
    return (
        isinstance(one, Train)
        and isinstance(other, Train)
        and (one.round, one.version) == (other.round, other.version)
        and one.model.data.digest == other.model.data.digest
    )


def names_the_same(one: Order, other: Order) -> bool:
    """Whether two orders name the same vectors, so that what was pulled for one will do for the other."""
    if isinstance(one, Train) and isinstance(other, Train):
        return (one.model, one.frozen, one.vectors) == (other.model, other.frozen, other.vectors)
    return one == other


def named_digests(order: Train | Evaluate) -> set[str]:
    """Digests of all that an order names and that may be here from an order before."""
    frozen = [order.frozen.data] if order.frozen else []
    layouts = [vector.layout for vector in order.vectors] if isinstance(order, Train) else []
    return {blob.digest for blob in (order.model.data, *frozen, *layouts)}


def _work(order: Order, download: Download, upload: Encoding | None) -> Work:
    if isinstance(order, Initialize):
        return Work(kind="initialize", assignment=order.assignment, seed=order.seed)
    parameters = download.parameters
    if parameters is not None and download.encoded is None:
        parameters = parameters.read_only()
    if isinstance(order, Evaluate):
        return Work(
            kind="evaluate",
            assignment=order.assignment,
            round=order.round,
            version=order.version,
            parameters=parameters,
            encoded=download.encoded,
        )
    return Work(
        kind="train",
        assignment=order.assignment,
        round=order.round,
        version=order.version,
        seed=order.seed,
        parameters=parameters,
        vectors=download.vectors,
        settings=order.settings,
        wants=tuple(order.wants),
        encoded=download.encoded,
        upload=upload,
    )
