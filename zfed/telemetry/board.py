"""What a live table shows right now: facts go in, the present state comes out.

Pure: time is passed in, nothing is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass

from zfed.facts import (
    Connected,
    Connecting,
    CoordinatorStarted,
    Disconnected,
    Evaluated,
    Fact,
    NodeJoined,
    NodeLeft,
    NodeStarted,
    Progress,
    ReadinessChanged,
    RoundCommitted,
    RoundOpened,
    RunEnded,
    TaskFailed,
    UpdateAccepted,
    UpdateRefused,
    Waiting,
    WorkerBenched,
    WorkersEvaluated,
)
from zfed.metrics import Metric
from zfed.telemetry.sentences import describe

_UNHAPPY = ("failed", "refused", "benched", "gone")


@dataclass
class NodeRow:
    """One node as it is now.

    `progress` is the share of `stage` that is done (None: nothing to measure); `seconds` the time of its last
    update; `sent_bytes` the payload of all its updates.
    """

    node: str
    kind: str
    examples: int = 0
    tags: tuple[str, ...] = ()
    unready: str = ""
    stage: str = "ready"
    progress: float | None = None
    loss: float | None = None
    seconds: float | None = None
    sent_bytes: int = 0

    @property
    def shown_stage(self) -> str:
        """What it does; if that is nothing, why it cannot."""
        idle = self.stage in ("ready", "done", "late")
        return f"not ready: {self.unready}" if idle and self.unready else self.stage

    def enter(self, stage: str, progress: float | None = None) -> None:
        """Begin something else."""
        self.stage, self.progress = stage, progress

    def learn(self, metrics: dict[str, Metric]) -> None:
        """Take the loss from metrics, if it is there."""
        loss = metrics.get("loss")
        if isinstance(loss, (int, float)):
            self.loss = loss


class Board:
    """The state of a run as far as one node knows it."""

    def __init__(self) -> None:
        self.run = ""
        self.own = ""
        self.address = ""
        self.protected = True
        self.round = 0
        self.rounds = 0
        self.status = ""
        self.last_round: RoundCommitted | None = None
        self.nodes: dict[str, NodeRow] = {}
        self._began: float | None = None
        self._committed = 0
        self._last_commit_s = 0.0

    def elapsed_s(self, now: float) -> float | None:
        """Seconds since the first round opened, or None before that."""
        return None if self._began is None else now - self._began

    def remaining_s(self, now: float) -> float | None:
        """Seconds to the end if rounds go on taking as long as they did, or None before the first commit."""
        elapsed = self.elapsed_s(now)
        if elapsed is None or self.last_round is None or not self._committed:
            return None
        mean_round_s = self._last_commit_s / self._committed
        left_at_commit_s = mean_round_s * (self.rounds - self.last_round.round)
        return max(0.0, left_at_commit_s - (elapsed - self._last_commit_s))

    def take(self, fact: Fact, now: float) -> None:
        """Change the state as the fact says; `now` in seconds."""
        match fact:
            case CoordinatorStarted():
                self.run, self.address, self.rounds = fact.run, fact.address, fact.rounds
                self.protected = fact.protected
            case NodeStarted():
                self.own, self.address, self.protected = fact.node, fact.coordinator, fact.protected
                self._node(fact.node, fact.kind).examples = fact.examples
            case Connected():
                self.run, self.address, self.status = fact.run, fact.address, ""
                self.round = 0  # of this run, which may be another one than before
            case Connecting() | Waiting() | Disconnected():
                self.status = describe(fact)[0]
            case RoundOpened() | RoundCommitted():
                self._take_round(fact, now)
            case RunEnded():
                self.status = ""
            case _:
                self._take_node(fact)

    def _take_round(self, fact: RoundOpened | RoundCommitted, now: float) -> None:
        self.round, self.rounds, self.status = fact.round, fact.rounds, ""
        if isinstance(fact, RoundOpened):
            self._began = now if self._began is None else self._began
            for node in fact.cohort:
                self._node(node).enter("asked")
            return
        self.last_round = fact
        self._committed += 1
        self._last_commit_s = 0.0 if self._began is None else now - self._began
        for node, part in fact.per_worker.items():
            row = self._node(node)
            row.seconds = part.seconds
            row.learn(part.metrics)
            row.enter("done")
        for sentence in fact.missing:
            row = self._node(sentence.split(" ", 1)[0])  # "alice (why)"
            if row.stage not in _UNHAPPY:
                row.enter("late")

    def _take_node(self, fact: Fact) -> None:
        match fact:
            case NodeJoined():
                row = self._node(fact.node, fact.kind)
                row.examples, row.tags, row.unready = fact.examples, tuple(fact.tags), fact.unready
                row.enter("ready")
            case ReadinessChanged():
                self._node(fact.node, fact.kind).unready = fact.unready
            case NodeLeft():
                self._node(fact.node, fact.kind).enter("gone")
            case Progress():
                row = self._node(fact.node, "evaluator" if fact.stage == "evaluate" else "worker")
                row.enter(fact.stage, fact.done / fact.total if fact.total > 0 else None)
                if fact.stage == "train":
                    row.learn(fact.metrics)
                self.round = max(self.round, fact.round)
                if fact.node == self.own:
                    self.status = ""  # whatever it waited for has come
            case UpdateAccepted():
                row = self._node(fact.node)
                row.enter("done")
                row.learn(fact.metrics)
                row.seconds = fact.seconds
                row.sent_bytes += fact.bytes
            case UpdateRefused():
                self._node(fact.node).enter("refused")
            case WorkerBenched():
                self._node(fact.node).enter("benched")
            case TaskFailed():
                self._node(fact.node).enter("failed")
            case Evaluated():
                row = self._node(fact.evaluator, "evaluator")
                if row.kind == "evaluator":  # of a worker, the table has those that it trains on
                    row.examples = fact.examples
                row.enter("ready")
            case WorkersEvaluated():
                for node in fact.workers:
                    if self._node(node).stage == "evaluate":
                        self._node(node).enter("ready")
            case _:  # said above the table, changes nothing in it
                pass

    def _node(self, node: str, kind: str = "worker") -> NodeRow:
        return self.nodes.setdefault(node, NodeRow(node, kind))
