"""Table `[evaluate]`."""

from __future__ import annotations

from dataclasses import dataclass

from zfed.config.limits import AT_LEAST_ONE, NOT_NEGATIVE
from zfed.config.setting import setting


@dataclass(frozen=True, kw_only=True)
class EvaluateConfig:
    """Table `[evaluate]`: when and what the evaluator is asked."""

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
        600.0, "seconds to wait for evaluations at the end", metavar="SECONDS", limits=NOT_NEGATIVE
    )

    def wanted(self, round: int, last_round: int) -> bool:
        """True if the model of this round (1, 2, ...) is to be evaluated."""
        if self.last and round == last_round:
            return True
        if self.rounds:
            return round in self.rounds
        return (self.first and round == 1) or (self.every > 0 and round % self.every == 0)
