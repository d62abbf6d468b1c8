"""Table `[select]`."""

from __future__ import annotations

from dataclasses import dataclass

from zfed.config.setting import setting


@dataclass(frozen=True, kw_only=True)
class SelectConfig:
    """Table `[select]`: which of the workers that are here a round asks."""

    cohort: str = setting(
        "",
        "workers of a cohort: a number, or a share of those here as 10%; default: all",
        metavar="N|P%",
        joined=True,
    )
