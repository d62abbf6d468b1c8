"""Table `[report]`."""

from __future__ import annotations

from dataclasses import dataclass

from zfed.config.setting import ANEW, FORMATS, setting


@dataclass(frozen=True, kw_only=True)
class ReportConfig:
    """Table `[report]`: what the coordinator shows and draws."""

    format: str = setting(
        "auto", "auto, table, lines or json", metavar="FORMAT", choices=FORMATS, resumed=ANEW
    )
    plot: bool = setting(True, "draw curves.png at the end if matplotlib is there")
