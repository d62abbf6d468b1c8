"""What races: the same fleet and the same run, under one schedule after another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final

from zfed.config import CoordinatorConfig, EvaluateConfig, ScheduleConfig, suggestion
from zfed.config.schedule_config import SCHEDULES
from zfed.errors import ConfigError, UsageError

ENDLESS: Final = 1_000_000_000
"""Rounds; a race ends by its target or its time."""

MOST_WORKERS: Final = 10_000

USUAL_SHARES: Final = {"quorum": "80%", "over-select": "75%", "buffered": "20%"}
"""How many updates make a version where nobody says, as a share of the workers."""

_NEEDED_BY: Final = {
    "grace_s": ("quorum", "over-select"),
    "late": ("quorum", "over-select"),
}
"""Settings that the other schedules refuse: in a comparison they are theirs who know them."""

EVALUATIONS_PER_PASS: Final = 10
"""So often a model is evaluated in the time in which as many updates come as there are workers, at most."""


@dataclass(frozen=True)
class Entrant:
    """One schedule of a race; `label` is how a person wrote it, as "buffered" or "quorum:90%"."""

    label: str
    config: CoordinatorConfig


@dataclass(frozen=True, kw_only=True)
class RacePlan:
    """A race.

    Attributes:
        config: Of every run in it, but for the schedule and what `entrant` says of it.
        schedules: Who races, in this order, as KIND or KIND:GOAL.
        workers: How many workers there are.
        profile: What their devices are.
        task: As of `--task`.
        settings: Of the task's class.
        partition: How the training data are dealt: all, or a scheme of `Partition` without "k/n".
        target: Accuracy at which a run has arrived.
        until_s: Virtual seconds after which it has not.
        most_work: Pieces of training, for each worker on average, after which it is given up: some schedules
            never come to rest.

    Raises:
        UsageError: If a number is out of range.
    """

    config: CoordinatorConfig = field(default_factory=CoordinatorConfig)
    schedules: Sequence[str] = SCHEDULES
    workers: int = 10
    profile: str = "slow-tail"
    task: str = "softmax"
    settings: Mapping[str, Any] = field(default_factory=dict)
    partition: str = "iid"
    target: float = 0.88
    until_s: float = 3600.0
    most_work: int = 100

    def __post_init__(self) -> None:
        if not 1 <= self.workers <= MOST_WORKERS:
            raise UsageError(f"--workers is {self.workers}, expected 1 to {MOST_WORKERS}")
        if not 0 < self.target <= 1:
            raise UsageError(f"--target is {self.target:g}, expected an accuracy above 0 and up to 1")
        if not 0 < self.until_s <= 1e9:
            raise UsageError(f"--until is {self.until_s:g}, expected virtual seconds above 0, up to 10^9")
        if self.most_work < 1:
            raise UsageError(f"--most-work is {self.most_work}, expected 1 or more pieces of training")
        if not self.schedules:
            raise UsageError("--schedule names none")

    @property
    def names(self) -> list[str]:
        """Of the workers; their order is that of the profile's devices."""
        return [f"w{number}" for number in range(1, self.workers + 1)]

    def part_of(self, place: int) -> str:
        """The partition of the worker at this place, from 0."""
        return "all" if self.partition == "all" else f"{self.partition}:{place + 1}/{self.workers}"

    @property
    def entrants(self) -> list[Entrant]:
        """Who races, each with the whole configuration of its run.

        Raises:
            ConfigError: If a schedule is unknown, or has a goal that it does not take.
        """
        return [self._entrant(text.strip()) for text in self.schedules]

    def _entrant(self, label: str) -> Entrant:
        kind, _, own_goal = label.partition(":")
        if kind not in SCHEDULES:
            raise ConfigError(f'--schedule: unknown schedule "{kind}"; {suggestion(kind, SCHEDULES)}')
        if own_goal and kind not in USUAL_SHARES:
            raise ConfigError(f'--schedule "{label}": {kind} takes no goal; write {kind}')
        schedule, select = self.config.schedule, self.config.select
        strange = {name: _default(name) for name, kinds in _NEEDED_BY.items() if kind not in kinds}
        schedule = replace(schedule, kind=kind, **strange)
        usual = USUAL_SHARES.get(kind, "")
        if kind == "over-select":  # its goal is its cohort
            select = replace(select, cohort=own_goal or select.cohort or usual)
        goal = (own_goal or schedule.goal or usual) if kind in ("quorum", "buffered") else ""
        config = replace(
            self.config,
            run=replace(self.config.run, rounds=ENDLESS, wait_for=str(self.workers), keep_models=1),
            schedule=replace(schedule, goal=goal),
            select=select,
        )
        return Entrant(label, replace(config, evaluate=self._evaluate(kind, goal)))

    def _evaluate(self, kind: str, goal: str) -> EvaluateConfig:
        """Versions of few updates are not all evaluated: that would take more real time than training."""
        updates = self.workers
        if kind == "async":
            updates = 1
        elif kind == "buffered" and goal.isdecimal():
            updates = int(goal)
        every = max(1, self.workers // (EVALUATIONS_PER_PASS * updates))
        return EvaluateConfig(every=every, last=False)


def _default(name: str) -> Any:
    return next(each.default for each in fields(ScheduleConfig) if each.name == name)
