"""Table `[schedule]`."""

from __future__ import annotations

from dataclasses import dataclass

from zfed.config.limits import NOT_NEGATIVE, OVERSAMPLING
from zfed.config.setting import FIXED, setting

SCHEDULES = ("sync", "quorum", "over-select", "buffered", "async")


@dataclass(frozen=True, kw_only=True)
class ScheduleConfig:
    """Table `[schedule]`: for whom a model version waits."""

    kind: str = setting(
        "sync",
        "sync: for the whole cohort; quorum: for --goal updates of it; over-select: more workers are asked "
        "than needed; buffered: nobody waits, --goal updates make a version; async: one update makes one",
        metavar="KIND",
        choices=SCHEDULES,
        resumed=FIXED,
        flag="--schedule",
    )
    goal: str = setting(
        "",
        "updates that make a version: a number, or a share of the cohort as 80%",
        metavar="N|P%",
        joined=True,
        resumed=FIXED,
    )
    grace_s: float = setting(
        0.0,
        "seconds that the others still have once the goal is reached (quorum, over-select)",
        metavar="SECONDS",
        limits=NOT_NEGATIVE,
    )
    late: str = setting(
        "refuse",
        "updates that come after their round is closed: refuse, or carry into the next (quorum, over-select)",
        metavar="RULE",
        choices=("refuse", "carry"),
        resumed=FIXED,
    )
    oversampling: float = setting(
        1.3, "workers that are asked for each that is needed (over-select)", metavar="X", limits=OVERSAMPLING
    )
    staleness: str = setting(
        "polynomial:0.5",
        "weight of an update that started s versions ago: polynomial:A, which is 1/(1+s)^A, or constant",
        metavar="RULE",
        resumed=FIXED,
    )
    max_staleness: int = setting(
        0,
        "versions an update may be behind to count at all; 0: so many that a worker counts which takes ten "
        "times as long as the others",
        metavar="N",
        limits=NOT_NEGATIVE,
        resumed=FIXED,
    )
