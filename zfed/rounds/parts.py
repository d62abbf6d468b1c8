"""One worker's part of a round, and the numbers of many parts together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from zfed.engine import OpenPart, UpdateStaged
from zfed.facts import WorkerRound
from zfed.metrics import Metrics, Rules, merge_metrics
from zfed.wire.messages import AssignmentId

PartState: TypeAlias = Literal["asked", "waiting", "folding", "counted", "out"]


@dataclass
class Part:
    """What one worker was asked, and what came of it.

    `state` goes from asked to folding to counted, or to out: then `why` says why. An update that is here
    when its round has all it wants is waiting for the next one. `round` and `version` are those of the
    order: where work goes on beyond its round, they are older than the round it counts in. `deadline` is
    when nobody waits for it any longer, `own_model` the digest of the worker's own model, if it was kept.
    """

    node: str
    assignment: AssignmentId
    declared: int
    round: int
    version: int
    deadline: float
    state: PartState = "asked"
    why: str = ""
    result: UpdateStaged | None = None
    staleness: int = 0
    weight: float = 0.0
    own_model: str = ""

    @property
    def order(self) -> OpenPart:
        """What was asked, for the journal."""
        return OpenPart(
            node=self.node,
            assignment=self.assignment,
            examples=self.declared,
            round=self.round,
            version=self.version,
        )

    def drop(self, why: str) -> None:
        """This part will not count."""
        self.state = "out"
        self.why = why

    def renewed(self, assignment: AssignmentId, deadline: float) -> Part:
        """The same work under a new number, for what had counted in an attempt that came to nothing."""
        return Part(
            node=self.node,
            assignment=assignment,
            declared=self.declared,
            round=self.round,
            version=self.version,
            deadline=deadline,
        )


@dataclass
class UnderWay:
    """A part that outlives its round.

    Attributes:
        part: Asked, or waiting.
        lost_until: Its worker is gone, and has until then to come back; None: it is here.
        ask: Its worker may not know of its order any more.
    """

    part: Part
    lost_until: float | None = None
    ask: bool = False


def shares(parts: list[Part]) -> list[float]:
    """Each part's weight as a share of 1; 0 for all, if a strategy lets none count."""
    total = sum(part.weight for part in parts)
    return [part.weight / total if total else 0.0 for part in parts]


def merged_metrics(parts: list[Part], rules: Rules) -> Metrics:
    """The workers' metrics, merged by these rules; means are weighted by examples."""
    return merge_metrics(
        ((part.result.examples, part.result.metrics) for part in parts if part.result), rules
    )


def per_worker(parts: list[Part]) -> dict[str, WorkerRound]:
    """Each worker's own numbers."""
    return {
        part.node: WorkerRound(
            examples=part.result.examples,
            steps=part.result.steps,
            seconds=part.result.seconds,
            metrics=part.result.metrics,
            norm=part.result.norm,
            limited=part.result.limited,
            staleness=part.staleness,
        )
        for part in parts
        if part.result
    }
