"""Where a node's time goes: what of its phases, facts and jobs becomes a span of its trace.

The logics know nothing of it. A member says at any time what it is in the middle of, so its spans are the
difference that each input makes; a coordinator's follow from its jobs and facts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from zfed.checkpoint import SpilledPart
from zfed.facts import Fact, RoundCommitted, RoundRetried, RunEnded, UpdateAccepted
from zfed.nodes.coordinator_words import (
    BeginRound,
    CommitVersion,
    EncodeModel,
    FoldUpdate,
    InspectUpdate,
    InstallFirstModel,
    Job,
    JobFailed,
    JobResult,
    VersionReady,
)
from zfed.nodes.member_logic import MemberLogic
from zfed.nodes.member_words import MemberEffect, MemberInput, Phase
from zfed.nodes.words import Chunks
from zfed.telemetry import Trace
from zfed.wire.messages import AssignmentId


class TracedMember:
    """A member's logic that writes down how long it is in which phase.

    An order's download and work follow one another in one row; uploads have their own, because an update may
    still be on its way when the next order comes.
    """

    def __init__(self, logic: MemberLogic, trace: Trace) -> None:
        self._logic = logic
        self._trace = trace
        self._phases: list[Phase] = []

    @property
    def next_wake(self) -> float | None:
        """As the logic says."""
        return self._logic.next_wake

    def start(self, now: float) -> list[MemberEffect]:
        """As the logic does."""
        return self._logic.start(now)

    def handle(self, event: MemberInput, now: float) -> list[MemberEffect]:
        """As the logic does; phases that it left or entered by this are noted."""
        effects = self._logic.handle(event, now)
        phases = self._logic.phases
        if phases != self._phases:
            self._changed(phases)
        return effects

    def _changed(self, phases: list[Phase]) -> None:
        for phase in self._phases:
            if phase not in phases:
                self._trace.end(phase)
        for phase in phases:
            facts: dict[str, Any] = {"round": phase.round, "assignment": _number(phase.assignment)}
            if phase.subject:
                facts["subject"] = phase.subject
            if phase.bytes:
                facts["bytes"] = phase.bytes
            row = "upload" if phase.stage == "upload" else "orders"
            self._trace.begin(phase, row, phase.stage, **facts)  # does nothing for a phase that goes on
        self._phases = phases


class CoordinatorTrace:
    """A coordinator's rounds, the time each worker takes to answer, and the jobs on numbers and files."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._asked: set[str] = set()

    def queued(self, job: Job) -> None:
        """A job is about to be queued: a round begins with one, before anybody is asked for an update."""
        if not isinstance(job, BeginRound):
            return
        round, attempt, version = job.opened.round, job.opened.attempt, job.opened.version
        self._trace.begin("round", "rounds", "round", round=round, attempt=attempt, version=version)
        for node in job.opened.cohort:
            self._asked.add(node)
            self._trace.begin(("answer", node), f"answer of {node}", "answer", round=round)

    def observe(self, fact: Fact) -> None:
        """Take a fact: rounds and answers end with some."""
        match fact:
            case UpdateAccepted():
                self._asked.discard(fact.node)
                self._trace.end(
                    ("answer", fact.node), bytes=fact.bytes, examples=fact.examples, task_seconds=fact.seconds
                )
            case RoundCommitted():
                self._round_over(outcome="committed", bytes_down=fact.bytes_down, bytes_up=fact.bytes_up)
            case RoundRetried():
                self._round_over(outcome="retried")
            case RunEnded():
                self._round_over(outcome=fact.status)

    def timed(self, perform: Callable[[Job], JobResult | None]) -> Callable[[Job], JobResult | None]:
        """The same, with a span for each job that takes time worth seeing."""

        def perform_timed(job: Job) -> JobResult | None:
            described = _described(job)
            if described is None:
                return perform(job)
            name, facts = described
            with self._trace.span("numbers", name, **facts) as more:
                result = perform(job)
                if isinstance(result, VersionReady):
                    more["bytes"] = result.model.blob.bytes
                elif isinstance(result, JobFailed):
                    more["outcome"] = "failed"
            return result

        return perform_timed

    def _round_over(self, **facts: Any) -> None:
        for node in self._asked:
            self._trace.end(("answer", node), outcome="missing")
        self._asked.clear()
        self._trace.end("round", **facts)


def _described(job: Job) -> tuple[str, dict[str, Any]] | None:
    match job:
        case FoldUpdate(fold, chunks):
            facts = {"round": fold.round, "worker": fold.node, "assignment": _number(fold.assignment)}
            return "accumulate", {**facts, "bytes": _size(chunks)}
        case InspectUpdate():
            return "inspect", {"assignment": _number(job.assignment), "bytes": _size(job.chunks)}
        case EncodeModel():
            return "encode", {"version": job.version, "level": job.encoding.level}
        case CommitVersion():
            return "commit", {"round": job.facts["round"], "version": job.version}
        case InstallFirstModel():
            return "install", {"from": job.node}
    return None


def _size(chunks: Chunks) -> int:
    return chunks.nbytes if isinstance(chunks, SpilledPart) else sum(len(data) for _, data in chunks)


def _number(assignment: AssignmentId) -> str:
    return "{}.{}".format(*assignment)
