"""How often each worker took part, and how much of the model is its own: what a cohort's rule comes to.

Counted from what a run writes down anyway, its commits and refusals, so a resumed run has it all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from zfed.facts import Fact, NodeJoined, Participation, RoundCommitted, UpdateRefused, WorkerPart
from zfed.rounds.refusals import STALE


@dataclass
class _Part:
    asked: int = 0
    counted: int = 0
    late: int = 0
    refused: int = 0
    shares: float = 0.0


@dataclass
class ParticipationTally:
    """Of one run; every version counts the same, however many updates it is of.

    Whoever was admitted is part of it, asked or not.
    """

    _versions: int = 0
    _parts: dict[str, _Part] = field(default_factory=dict)

    @classmethod
    def read(cls, lines: Iterable[Mapping[str, Any]]) -> ParticipationTally:
        """Count the lines of a journal, those that still count."""
        tally = cls()
        for line in lines:
            tally.take_line(line)
        return tally

    def take_line(self, line: Mapping[str, Any]) -> None:
        """Count what a line of the journal says, if it says anything of this."""
        match line:
            case {"event": "joined", "kind": "worker", "node": node}:
                self._part(node)
            case {"event": "committed", "workers": workers}:
                weights = line.get("metrics", {}).get("weights", [])
                self._committed(workers, weights, line.get("missing", []))
            case {"event": "refused", "round": round, "node": node, "code": code} if round:
                self._refused(node, code)

    def take(self, fact: Fact) -> None:
        """Count the same as it happens."""
        match fact:
            case NodeJoined(kind="worker"):
                self._part(fact.node)
            case RoundCommitted():
                self._committed(fact.workers, fact.weights, fact.missing)
            case UpdateRefused() if fact.round:
                self._refused(fact.node, fact.code)

    def report(self) -> Participation:
        """What has come together, in the order of the workers' names."""
        workers = [
            WorkerPart(
                node=node,
                asked=part.asked,
                counted=part.counted,
                late=part.late,
                refused=part.refused,
                share=part.shares / max(self._versions, 1),
            )
            for node, part in sorted(self._parts.items())
        ]
        return Participation(versions=self._versions, workers=workers)

    def _committed(self, workers: Sequence[str], weights: Sequence[float], missing: Iterable[str]) -> None:
        self._versions += 1
        for node, weight in zip(workers, weights or [0.0] * len(workers), strict=True):
            part = self._part(node)
            part.asked += 1
            part.counted += 1
            part.shares += weight
        for sentence in missing:
            self._part(sentence.split(" ", 1)[0]).asked += 1  # "alice (why)"

    def _refused(self, node: str, code: str) -> None:
        part = self._part(node)
        if code == STALE:
            part.late += 1
        else:
            part.refused += 1

    def _part(self, node: str) -> _Part:
        return self._parts.setdefault(node, _Part())
