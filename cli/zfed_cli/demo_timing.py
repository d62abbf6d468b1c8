"""How long a demo's rounds took, against the computing that its workers and evaluator did meanwhile."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

from zfed.facts import Fact, RoundCommitted, RoundOpened
from zfed_cli.cpu_time import cpu_seconds


class RoundsTiming:
    """Observes a coordinator's facts from the first round's start to the last round's end.

    Args:
        sessions: Sessions of the processes that train and evaluate.
    """

    def __init__(self, sessions: Sequence[int]) -> None:
        self._sessions = sessions
        self._start: tuple[float, float | None] | None = None
        self._end: tuple[float, float | None] | None = None

    def __call__(self, fact: Fact) -> None:
        """Take the time at the first round's start and at each round's end."""
        if isinstance(fact, RoundOpened) and self._start is None:
            self._start = self._now()
        elif isinstance(fact, RoundCommitted):
            self._end = self._now()

    def sentence(self) -> str:
        """What was measured; empty if no round ended."""
        if self._start is None or self._end is None:
            return ""
        (start_s, start_cpu_s), (end_s, end_cpu_s) = self._start, self._end
        wall_s = end_s - start_s
        words = f"first round's start to last round's end: {wall_s:.1f} s"
        if start_cpu_s is None or end_cpu_s is None or end_cpu_s <= start_cpu_s:
            return words
        cpu_s = end_cpu_s - start_cpu_s
        cores = len(os.sched_getaffinity(0))
        return (
            f"{words}, in which workers and evaluator used {cpu_s:.1f} s of CPU; "
            f"wall / (CPU / {cores} cores) = {wall_s * cores / cpu_s:.2f}"
        )

    def _now(self) -> tuple[float, float | None]:
        return time.monotonic(), cpu_seconds(self._sessions)
