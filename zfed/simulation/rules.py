"""For whom fuzzed runs wait, and who evaluates: tables drawn from a seed."""

from __future__ import annotations

import math
import random
from dataclasses import replace

from zfed.config import CoordinatorConfig, ScheduleConfig, SelectConfig


def with_rules(config: CoordinatorConfig, draw: random.Random) -> CoordinatorConfig:
    """The same run under a schedule of any kind, with a goal that its workers can reach."""
    kind = draw.choice(("sync", "sync", "quorum", "over-select", "buffered", "async"))
    run = replace(config.run, min_workers=1) if kind == "async" else config.run
    here = max(int(run.wait_for), run.min_workers)  # when the run begins
    goals = [str(draw.randint(run.min_workers, here)), "100%", "50%"]
    goal = draw.choice(goals if math.ceil(here / 2) >= run.min_workers else goals[:2])
    if kind in ("quorum", "buffered", "over-select"):
        run = replace(run, wait_for=str(here))
    knows_late = kind in ("quorum", "over-select")
    late = draw.choice(("refuse", "carry")) if knows_late else "refuse"
    goes_on = kind in ("buffered", "async") or late == "carry"  # then no round has models of its workers
    return replace(
        config,
        run=run,
        schedule=ScheduleConfig(
            kind=kind,
            goal=goal if kind in ("quorum", "buffered") else "",
            grace_s=draw.choice((0.0, 0.05, 1.0)) if knows_late else 0.0,
            late=late,
            oversampling=draw.choice((1.0, 1.3, 3.0)),
            staleness=draw.choice(("constant", "polynomial:0.5", "polynomial:1")),
            max_staleness=draw.choice((0, 1, 3, 20)),
        ),
        select=SelectConfig(cohort=goal if kind == "over-select" else ""),
        evaluate=replace(config.evaluate, workers=False) if goes_on else config.evaluate,
    )


def with_selection(config: CoordinatorConfig, draw: random.Random) -> CoordinatorConfig:
    """Now and then the same run with cohorts of which a version can be made."""
    kind, run = config.schedule.kind, config.run
    if draw.random() < 0.5 or kind == "over-select":  # which has its cohort
        return config
    here = max(int(run.wait_for), run.min_workers)
    rule = draw.choice(("uniform", "size", "poisson"))
    cohort = str(draw.randint(run.min_workers, here))
    if kind in ("buffered", "async"):
        cohort = str(draw.randint(1, here))  # work at the same time
    elif kind == "quorum":
        cohort = config.schedule.goal if config.schedule.goal.isdecimal() else "100%"
    elif rule == "poisson":
        cohort = "60%"
    if not cohort.endswith("60%"):
        rule = rule.replace("poisson", "uniform")
    return replace(config, select=SelectConfig(cohort=cohort, rule=rule))


def with_evaluation(config: CoordinatorConfig, draw: random.Random) -> CoordinatorConfig:
    """Now and then the same run whose versions its workers evaluate, alone or beside the evaluator it has."""
    if draw.random() < 0.5:
        return config
    before = config.evaluate
    alone = not (before.first or before.every or before.last) or draw.random() < 0.3
    evaluate = replace(
        before,
        by="workers" if alone else "both",
        workers=before.workers and not alone,
        first=draw.random() < 0.5,
        every=draw.choice((1, 1, 3)),
        last=draw.random() < 0.5,
        timeout_s=draw.choice((5.0, 120.0)),
        watch=draw.choice(("", "+total", "-total")),
        watch_on="workers",
    )
    return replace(config, evaluate=evaluate)


def discount(rule: str, behind: int) -> float:
    """What is left of an update that is so many versions behind, written from docs/schedules.md."""
    exponent = 0.0 if rule == "constant" else float(rule.removeprefix("polynomial:"))
    return int((1 + behind) ** -exponent * 65536) / 65536
