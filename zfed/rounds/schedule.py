"""For whom a model version waits: all schedules are settings of one engine.

| kind | asked when a round opens | asked while it is open | closes | what is under way then |
|---|---|---|---|---|
| sync | the cohort | nobody | all have answered | - |
| quorum | the cohort | nobody | the goal is reached, and a grace has passed | ends, or goes on |
| over-select | more than needed | nobody | as quorum, with the number that is needed as goal | as quorum |
| buffered | who is free | who comes | the goal is reached | goes on |
| async | who is free | who comes | one update has come | goes on |

Each closes at its deadline, too, if enough updates have come to commit anything.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

from zfed.config import EvaluateConfig, ScheduleConfig, SelectConfig
from zfed.config.amount import Amount
from zfed.errors import ConfigError
from zfed.rounds.staleness import Staleness

SLOWEST: Final = 10
"""How many times as long as the others a worker may take to be waited for by default."""


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """The rules of one run.

    Attributes:
        kind: As in `[schedule]`.
        goal: Updates that close a round; None: all that were asked for.
        grace_s: Seconds that the others have from then.
        carries: What is under way when a round closes goes on, and counts in a later round.
        joins: Whoever comes while a round is open is asked at once.
        oversampling: Workers that are asked for each that is needed.
        staleness: What an update from an older version still counts.
        max_staleness: Versions it may be behind; 0: as `oldest` says.
    """

    kind: str = "sync"
    goal: Amount | None = None
    grace_s: float = 0.0
    carries: bool = False
    joins: bool = False
    oversampling: float = 1.0
    staleness: Staleness = field(default_factory=Staleness)
    max_staleness: int = 0

    @classmethod
    def of(cls, config: ScheduleConfig, select: SelectConfig, evaluate: EvaluateConfig) -> Schedule:
        """The rules that a configuration means.

        Raises:
            ConfigError: If settings contradict each other, or one is missing.
        """
        kind = config.kind
        _check(config, select)
        carries = kind in ("buffered", "async") or config.late == "carry"
        if carries and evaluate.workers:
            raise ConfigError(
                f"--evaluate-workers: with --schedule {kind} updates may start from older versions, and the "
                "workers' own models of a round are no round's; use sync, or quorum with --late refuse"
            )
        goal = {"over-select": select.cohort, "async": "1"}.get(kind, config.goal)
        return cls(
            kind=kind,
            goal=Amount.parse(goal, "--cohort" if kind == "over-select" else "--goal") if goal else None,
            grace_s=config.grace_s,
            carries=carries,
            joins=kind in ("buffered", "async"),
            oversampling=config.oversampling if kind == "over-select" else 1.0,
            staleness=Staleness.parse(config.staleness),
            max_staleness=config.max_staleness,
        )

    def closes_at(self, cohort: int, candidates: int) -> int:
        """Updates that close a round for which so many of so many workers were asked."""
        if self.goal is None:
            return cohort
        return min(self.goal.of(candidates), cohort) if self.kind == "over-select" else self.goal.of(cohort)

    def oldest(self, workers: int) -> int:
        """Versions that an update may be behind where so many workers take part, at least 1.

        While a worker makes one update, others of its speed make those of workers / goal versions; one that
        takes `SLOWEST` times as long is so many times as far behind, and shall count by default.
        """
        if self.max_staleness or not self.carries:
            return self.max_staleness
        return math.ceil(SLOWEST * workers / self.closes_at(workers, workers))

    def wanted(self, needed: int) -> int:
        """How many workers to ask if so many are needed."""
        return math.ceil(round(needed * self.oversampling, 9))  # 1.1 times 10 is 11


def _check(config: ScheduleConfig, select: SelectConfig) -> None:
    kind = config.kind
    if kind in ("quorum", "buffered") and not config.goal:
        raise ConfigError(f"--schedule {kind} needs --goal: how many updates make a version, as 8 or 80%")
    if kind not in ("quorum", "buffered") and config.goal:
        closes = {
            "sync": "waits for the whole cohort",
            "over-select": "closes when as many have come as --cohort says",
            "async": "makes a version of each update",
        }[kind]
        raise ConfigError(f"--goal {config.goal}: --schedule {kind} {closes}; leave it away, or use quorum")
    if kind == "over-select" and not select.cohort:
        raise ConfigError("--schedule over-select needs --cohort: how many of the workers asked are needed")
    if kind not in ("quorum", "over-select"):
        if config.grace_s:
            raise ConfigError(
                f"--grace {config.grace_s:g}: --schedule {kind} has none, only quorum and over-select"
            )
        if kind == "sync" and config.late == "carry":
            raise ConfigError("--late carry: --schedule sync waits for all, so none is late; use quorum")
