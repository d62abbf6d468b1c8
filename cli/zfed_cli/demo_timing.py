"""How long a demo's rounds took, against the computing that its workers and evaluator did meanwhile."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

from zfed.facts import Evaluated, Fact, RoundCommitted, RoundOpened
from zfed.processes import cpu_seconds


class RoundsTiming:
    """Observes a coordinator's facts from the first round's start to the last round's end.

    Args:
        sessions: Sessions of the processes that train and evaluate.
    """

    def __init__(self, sessions: Sequence[int]) -> None:
        self._sessions = sessions
        self._start: tuple[float, float | None] | None = None
        self._end: tuple[float, float | None] | None = None
        self._evaluated_s: float | None = None

    def __call__(self, fact: Fact) -> None:
        """Take the time at the first round's start, at each round's end and after each evaluation."""
        if isinstance(fact, RoundOpened) and self._start is None:
            self._start = self._now()
        elif isinstance(fact, RoundCommitted):
            self._end = self._now()
        elif isinstance(fact, Evaluated):
            self._evaluated_s = time.monotonic()

    def summary(self) -> list[str]:
        """What was measured, in lines; none if no round ended."""
        if self._start is None or self._end is None:
            return []
        (start_s, start_cpu_s), (end_s, end_cpu_s) = self._start, self._end
        wall_s = end_s - start_s
        lines = [f"rounds:  {wall_s:.1f} s from the first one's start to the last one's end"]
        if start_cpu_s is not None and end_cpu_s is not None and end_cpu_s > start_cpu_s:
            cpu_s = end_cpu_s - start_cpu_s
            cores = os.cpu_count() or 1
            ratio = wall_s * cores / cpu_s
            lines.append(f"CPU:     {cpu_s:.1f} s by workers and evaluator meanwhile")
            lines.append(f"         wall / (CPU / {cores} cores) = {ratio:.2f}")
        if self._evaluated_s is not None:
            lines.append(f"with the last evaluation: {self._evaluated_s - start_s:.1f} s")
        return lines

    def _now(self) -> tuple[float, float | None]:
        return time.monotonic(), cpu_seconds(self._sessions)
