"""Table `[evaluate]`."""

from __future__ import annotations

from dataclasses import dataclass

from zfed.config.limits import AT_LEAST_ONE, NOT_NEGATIVE
from zfed.config.setting import setting


@dataclass(frozen=True, kw_only=True)
class EvaluateConfig:
    """Table `[evaluate]`: who says how good a version is, when, and what follows from that."""

    by: str = setting(
        "evaluator",
        "who evaluates: evaluator, workers (each on what its --holdout keeps) or both",
        metavar="WHO",
        choices=("evaluator", "workers", "both"),
    )
    rounds: list[int] = setting(
        [],
        "rounds to evaluate after, instead of first and every",
        metavar="LIST",
        limits=AT_LEAST_ONE,
    )
    first: bool = setting(True, "evaluate after round 1")
    every: int = setting(10, "evaluate after every Nth round; 0: never", metavar="N", limits=NOT_NEGATIVE)
    last: bool = setting(True, "evaluate after the last round")
    workers: bool = setting(False, "also evaluate each worker's own model; announced to the workers")
    groups: list[str] = setting([], 'classes shown together, as ["0-3", "4-6", "7-9"]', metavar="LIST")
    timeout_s: float = setting(
        600.0,
        "seconds to wait for evaluations: at the end for all, before it for those of workers",
        metavar="SECONDS",
        limits=NOT_NEGATIVE,
    )
    watch: str = setting(
        "",
        "metric by which the best version is kept, as accuracy; +f2 and -wer say which way is better",
        metavar="METRIC",
        flag="--watch",
    )
    watch_on: str = setting(
        "central",
        "whose evaluations are watched: the evaluator's (central) or the workers'",
        metavar="WHOSE",
        choices=("central", "workers"),
        flag="--watch-on",
    )
    patience: int = setting(
        0,
        "evaluations without a better version after which the run ends; 0: it does not",
        metavar="N",
        limits=NOT_NEGATIVE,
        flag="--patience",
    )
    min_delta: float = setting(
        0.0,
        "by how much the metric must be better for --patience to begin anew",
        metavar="NUMBER",
        limits=NOT_NEGATIVE,
        flag="--min-delta",
    )

    @property
    def by_evaluator(self) -> bool:
        """True if an evaluator is asked."""
        return self.by != "workers"

    @property
    def by_workers(self) -> bool:
        """True if workers are asked."""
        return self.by != "evaluator"

    def wanted(self, round: int, last_round: int) -> bool:
        """True if the model of this round (1, 2, ...) is to be evaluated."""
        if self.last and round == last_round:
            return True
        if self.rounds:
            return round in self.rounds
        return (self.first and round == 1) or (self.every > 0 and round % self.every == 0)
