"""The bookkeeping of one open round: each cohort member's part, and when the round may close."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from zfed.engine import UpdateStaged
from zfed.facts import WorkerRound
from zfed.metrics import Metrics, weighted_mean
from zfed.wire.messages import AssignmentId


@dataclass
class Part:
    """What one worker was asked, and what came of it.

    `state` goes from asked to folding to counted, or to out: then `why` says why.
    """

    node: str
    assignment: AssignmentId
    declared: int
    state: Literal["asked", "folding", "counted", "out"] = "asked"
    why: str = ""
    lost_at: float | None = None
    result: UpdateStaged | None = None
    weight: float = 0.0

    def drop(self, why: str) -> None:
        """This part will not count."""
        self.state = "out"
        self.why = why


@dataclass
class OpenParts:
    """All parts of one attempt at a round."""

    round: int
    attempt: int
    opened_at: float
    deadline: float
    parts: dict[AssignmentId, Part]

    def find(self, node: str, assignment: AssignmentId) -> Part | None:
        """The part of this number, if it is this worker's."""
        part = self.parts.get(assignment)
        return part if part is not None and part.node == node else None

    def of_node(self, node: str) -> Part | None:
        """The part of this worker, if it is in the cohort."""
        return next((part for part in self.parts.values() if part.node == node), None)

    def in_state(self, state: str) -> list[Part]:
        """The parts in a state, in the order of the workers' names."""
        return [part for part in self.parts.values() if part.state == state]

    def expire(self, now: float, grace_s: float) -> list[Part]:
        """Drop the parts nobody waits for any longer; returns them.

        At the deadline that is every part still awaited. Before it, the lost ones, once *all* that are
        awaited are lost and their grace has passed: while one worker computes, the others may come back.
        """
        wake = self.next_wake(grace_s)
        if wake is None or now < wake:
            return []
        late = now >= self.deadline
        gone = self.in_state("asked")
        for part in gone:
            part.drop("no answer by the deadline" if late else f"lost, and not back within {grace_s:g} s")
        return gone

    def next_wake(self, grace_s: float) -> float | None:
        """When `expire` has something to drop; None if nobody is awaited."""
        awaited = self.in_state("asked")
        if not awaited:
            return None
        graces = [part.lost_at + grace_s for part in awaited if part.lost_at is not None]
        if len(graces) < len(awaited):
            return self.deadline
        return min(self.deadline, max(graces))

    def missing(self) -> list[str]:
        """The parts that are out, as "name (why)"."""
        return [f"{part.node} ({part.why})" for part in self.in_state("out")]


def shares(parts: list[Part]) -> list[float]:
    """Each part's weight as a share of 1."""
    total = sum(part.weight for part in parts)
    return [part.weight / total for part in parts]


def merged_metrics(parts: list[Part]) -> Metrics:
    """The workers' metrics, weighted by examples."""
    return weighted_mean((part.result.examples, part.result.metrics) for part in parts if part.result)


def per_worker(parts: list[Part]) -> dict[str, WorkerRound]:
    """Each worker's own numbers."""
    return {
        part.node: WorkerRound(
            examples=part.result.examples,
            steps=part.result.steps,
            seconds=part.result.seconds,
            metrics=part.result.metrics,
        )
        for part in parts
        if part.result
    }
