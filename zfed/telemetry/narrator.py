"""Turns a stream of facts into the lines a person should read, without repeating itself.

Pure: time is passed in, nothing is written.
"""

from __future__ import annotations

from zfed.facts import Evaluated, Fact, Progress, RoundOpened, RunEnded, Waiting, WorkersEvaluated
from zfed.telemetry.groups import LabelGroup
from zfed.telemetry.sentences import FEDERATED, describe, evaluated_line, summary
from zfed.telemetry.wording import printable

QUIET_S = 10.0
"""A node's progress, and a wait for the same thing, are told at most this often."""


class Narrator:
    """Remembers what a summary needs and when it last spoke about whom.

    Args:
        groups: Classes whose share of the predictions is told with each evaluation.
    """

    def __init__(self, groups: tuple[LabelGroup, ...] = ()) -> None:
        self._groups = groups
        self._began: float | None = None
        self._federated: Evaluated | None = None
        self._surveyed: WorkersEvaluated | None = None
        self._progress: dict[str, tuple[int, float]] = {}
        self._waiting: tuple[str, float] = ("", 0.0)

    def lines(self, fact: Fact, now: float) -> list[str]:
        """What to say about a fact at a time in seconds: printable lines, perhaps none."""
        return [printable(line) for line in self._lines(fact, now)]

    def _lines(self, fact: Fact, now: float) -> list[str]:
        if isinstance(fact, Progress):
            return describe(fact) if self._progress_is_due(fact, now) else []
        if isinstance(fact, Waiting):
            return describe(fact) if self._wait_is_due(fact, now) else []
        if isinstance(fact, Evaluated):
            if fact.subject == FEDERATED:
                self._federated = fact
            return [evaluated_line(fact, self._groups)]
        if isinstance(fact, WorkersEvaluated):
            self._surveyed = fact
        if isinstance(fact, RoundOpened) and self._began is None:
            self._began = now
        if isinstance(fact, RunEnded):
            return self._summary(fact, now)
        return describe(fact)

    def _progress_is_due(self, fact: Progress, now: float) -> bool:
        """Silence starts with a node's first sign of a round, so rounds shorter than it need no line."""
        round, spoken = self._progress.get(fact.node, (None, now))
        if round != fact.round:
            self._progress[fact.node] = (fact.round, now)
            return False
        if now - spoken < QUIET_S:
            return False
        self._progress[fact.node] = (fact.round, now)
        return True

    def _wait_is_due(self, fact: Waiting, now: float) -> bool:
        missing, spoken = self._waiting
        if fact.missing == missing and now - spoken < QUIET_S:
            return False
        self._waiting = (fact.missing, now)
        return True

    def _summary(self, fact: RunEnded, now: float) -> list[str]:
        elapsed = None if self._began is None else now - self._began
        lines = summary(fact, elapsed_s=elapsed, federated=self._federated, surveyed=self._surveyed)
        # A node that stays for the next run starts over.
        self._began, self._federated, self._surveyed = None, None, None
        self._progress.clear()
        return lines
