"""Table `[select]`."""

from __future__ import annotations

from dataclasses import dataclass

from zfed.config.limits import AT_LEAST_ONE
from zfed.config.setting import setting

SELECTION_RULES = ("uniform", "poisson", "size")


@dataclass(frozen=True, kw_only=True)
class SelectConfig:
    """Table `[select]`: which of the workers that are here a round asks."""

    cohort: str = setting(
        "",
        "workers of a cohort: a number, or a share of those here as 10%; default: all",
        metavar="N|P%",
        joined=True,
    )
    rule: str = setting(
        "uniform",
        "who is of a cohort. uniform: each as likely as any other; size: the more likely the more examples; "
        "poisson: each for itself with the probability P% of --cohort",
        metavar="RULE",
        choices=SELECTION_RULES,
        flag="--select-by",
    )
    where: str = setting(
        "",
        "only workers with such tags, as gpu, site=a, site=a|b or !gpu; of several, joined by commas, all "
        "must hold",
        metavar="EXPR",
        joined=True,
        flag="--select",
    )
    min_cohort: int = setting(
        1,
        "fewest workers of a cohort: with fewer that are ready, no round is opened",
        metavar="N",
        limits=AT_LEAST_ONE,
    )
