"""Which version is the best so far, by one watched metric, and whether there is hope for a better one.

What is known follows from the evaluations alone, in the order in which they were recorded: a run that is
resumed sees them again in that order, and decides as it would have.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from zfed.config import EvaluateConfig
from zfed.errors import ConfigError
from zfed.facts import BestVersion, Evaluated, NothingToWatch, WorkersEvaluated
from zfed.metrics import Metric, higher_is_better
from zfed.rounds.evaluation import FEDERATED, WORKERS

_RECORDED: Final = frozenset(
    {"event", "round", "subject", "examples", "workers", "missing", "spread", "validation"}
)
"""Names under which the journal and metrics.jsonl hold something else."""


def check_evaluation(config: EvaluateConfig) -> None:
    """Refuse a table `[evaluate]` that contradicts itself.

    Raises:
        ConfigError: If what is to be watched is not there, or cannot be told from its name.
    """
    if config.workers and not config.by_evaluator:
        raise ConfigError(
            "--evaluate-workers asks an evaluator about the workers' own models, but --evaluate-by workers "
            "asks none: use --evaluate-by both"
        )
    if not config.watch:
        if config.patience:
            raise ConfigError(
                f"--patience {config.patience} waits for a better version, but nothing says what is better: "
                "name a metric, as --watch accuracy"
            )
        return
    watched_metric(config.watch)
    asked = config.by_evaluator if config.watch_on == "central" else config.by_workers
    if not asked:
        needed = "evaluator" if config.watch_on == "central" else "workers"
        raise ConfigError(
            f"--watch-on {config.watch_on} needs --evaluate-by {needed} or both, it is {config.by}"
        )


def watched_metric(text: str) -> tuple[str, bool]:
    """The name of a metric, and whether more of it is better, from what `--watch` says.

    Raises:
        ConfigError: If it cannot be told which way is better, or there is no such metric.
    """
    name = text[1:] if text[:1] in ("+", "-") else text
    if not name or name in _RECORDED:
        raise ConfigError(f"--watch {text!r}: expected the name of a metric, as accuracy, loss, +f2 or -wer")
    higher = text[0] == "+" if name != text else higher_is_better(name)
    if higher is None:
        raise ConfigError(
            f"--watch {name}: the name does not say whether more or less of it is better: write "
            f"--watch=+{name} or --watch=-{name}"
        )
    return name, higher


@dataclass
class Watch:
    """Sees evaluations, and knows the best version and how long there has been no better one.

    Args:
        config: Table `[evaluate]`; `check_evaluation` has nothing against it.

    Attributes:
        metric: What is watched, empty if nothing is.
        higher: Whether more of it is better.
        best: The best version seen; of equal ones the first.
        unimproved: How many evaluations were seen since one was better, by `min_delta`, than all before.
    """

    config: EvaluateConfig
    best: BestVersion | None = None
    unimproved: int = 0
    _mark: float = math.nan  # what the metric must exceed by min_delta for patience to begin anew
    _newest: int = 0

    def __post_init__(self) -> None:
        self.metric, self.higher = watched_metric(self.config.watch) if self.config.watch else ("", True)

    def heeds(self, subject: str) -> bool:
        """True if evaluations of this subject are watched."""
        return bool(self.metric) and subject == (FEDERATED if self.config.watch_on == "central" else WORKERS)

    def look(self, fact: Evaluated | WorkersEvaluated) -> NothingToWatch | None:
        """See what a fact tells, if it is heeded; returns what there is to say if it has no such number."""
        subject = fact.subject if isinstance(fact, Evaluated) else WORKERS
        if not self.heeds(subject) or self.see(fact.round, fact.version, fact.metrics):
            return None
        numbers = [name for name, value in fact.metrics.items() if not isinstance(value, Mapping)]
        return NothingToWatch(round=fact.round, metric=self.metric, reported=sorted(numbers))

    def see(self, round: int, version: int, metrics: Mapping[str, Metric]) -> bool:
        """Take an evaluation that is heeded; False, and nothing changes, if it has no such number."""
        value = metrics.get(self.metric)
        if value is None or isinstance(value, Mapping):
            return False
        if self.best is None or self._gain(value, self.best.value) > 0:
            self.best = BestVersion(
                metric=self.metric,
                value=value,
                round=round,
                version=version,
                watched_on=self.config.watch_on,
            )
        gain = self._gain(value, self._mark)
        if math.isnan(gain) or (gain > 0 and gain >= self.config.min_delta):
            self._mark, self.unimproved = value, 0
        else:
            self.unimproved += 1
        self._newest = max(self._newest, version)
        return True

    def reason_to_stop(self, version: int) -> str:
        """Why the run, which is at this version, should end; empty if it should not."""
        if self.best is None or not self.config.patience or self.unimproved < self.config.patience:
            return ""
        by = f" by {self.config.min_delta:g}" if self.config.min_delta else ""
        evaluations = f"{self.unimproved} evaluation{'s' if self.unimproved > 1 else ''}"
        more = version - self._newest
        since = (
            f"; {more} round{'s' if more > 1 else ''} more {'were' if more > 1 else 'was'} made until that "
            "was known"
            if more > 0
            else ""
        )
        return (
            f"early stop: {self.metric} has not become better{by} in {evaluations}, the best was "
            f"{self.best.value:g} in round {self.best.round}{since}"
        )

    def _gain(self, value: float, before: float) -> float:
        return value - before if self.higher else before - value
