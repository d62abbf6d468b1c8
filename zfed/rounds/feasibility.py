"""What a configuration and a number of workers come to, before anybody is asked for anything."""

from __future__ import annotations

from zfed.config import CoordinatorConfig
from zfed.config.amount import Amount
from zfed.errors import ConfigError
from zfed.rounds.cohort import WaitFor
from zfed.rounds.schedule import Schedule
from zfed.rounds.selection import Selection
from zfed.strategies import Needs
from zfed.tags import TagExpression


def check_plan(config: CoordinatorConfig, needs: Needs) -> None:
    """Refuse what cannot work with the workers that a run begins with.

    Args:
        config: Of the run.
        needs: Of its strategy.

    Raises:
        ConfigError: It says what contradicts what, and what to say instead.
    """
    schedule = Schedule.of(config.schedule, config.select, config.evaluate)
    workers = WaitFor.parse(config.run.wait_for).nodes
    TagExpression.parse(config.select.where)
    Selection(config.select, config.run.seed).check(schedule)
    if schedule.kind == "async" and needs.every_update:
        raise ConfigError(
            f"--schedule async makes a version of each update, {needs.strategy} compares the updates of a "
            f"version: use --schedule buffered with --goal {max(2, needs.updates)} or more"
        )
    if schedule.carries and needs.fresh:
        late = "--late carry" if config.schedule.late == "carry" else f"--schedule {schedule.kind}"
        raise ConfigError(
            f"{late} lets updates of older versions count, {needs.strategy} can use none: use --schedule "
            "sync, or quorum with --late refuse"
        )
    if workers < needs.updates:
        raise ConfigError(
            f"{needs.strategy} needs {needs.updates} updates for each version, --wait-for "
            f"{config.run.wait_for} begins with {workers}: wait for {needs.updates} workers, or choose "
            "options (--option) with which it needs fewer"
        )
    asked, setting = workers, "--wait-for"
    cohort = _cohort(config, schedule, workers)
    if cohort is not None:
        _check_enough(cohort, f"--cohort {config.select.cohort}", config, needs)
        if cohort < asked:
            asked, setting = cohort, "--cohort"
    if config.schedule.goal and schedule.goal is not None:
        goal = schedule.goal.of(asked)
        if goal > asked:
            raise ConfigError(
                f"--goal {config.schedule.goal} is more than the {asked} that {setting} asks for: no version "
                f"would have so many updates. A smaller --goal would do, or {setting} {goal}"
            )
        _check_enough(goal, f"--goal {config.schedule.goal}", config, needs)


def most_updates(config: CoordinatorConfig, workers: int) -> int:
    """The most updates that a version can be made of, if there are so many workers."""
    schedule = Schedule.of(config.schedule, config.select, config.evaluate)
    cohort = _cohort(config, schedule, workers)
    asked = workers if cohort is None else schedule.wanted(cohort)
    if schedule.goal is not None and not schedule.grace_s:
        asked = min(asked, schedule.goal.of(asked))
    return min(asked, workers)


def _cohort(config: CoordinatorConfig, schedule: Schedule, workers: int) -> int | None:
    """How many of so many workers a round needs, if `--cohort` says so.

    It does not if each is drawn for itself, or asked as soon as it is free.
    """
    if not config.select.cohort or config.select.rule == "poisson" or schedule.joins:
        return None
    return Amount.parse(config.select.cohort, "--cohort").of(workers)


def _check_enough(updates: int, said: str, config: CoordinatorConfig, needs: Needs) -> None:
    """Refuse versions of so many updates if they are too few."""
    if updates < needs.updates:
        raise ConfigError(
            f"{said} makes versions of {updates} updates, {needs.strategy} needs {needs.updates}: ask for "
            "more, or choose options (--option) with which it needs fewer"
        )
    if updates < config.run.min_workers:
        raise ConfigError(
            f"{said} makes versions of {updates} updates, --min-workers {config.run.min_workers} commits "
            "none of fewer: ask for more, or lower --min-workers"
        )
