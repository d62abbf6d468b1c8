"""Between two rounds with too few nodes: who is waited for, and when the round opens without the rest."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from zfed.rounds.cohort import Roster


@dataclass(kw_only=True)
class Gathering:
    """Waits for workers that were here before, so that the next round has them all if they come back.

    Once enough workers are here, the others have until `open_at`, and at least `grace_s` from then: whoever
    comes back first after all were gone shall not open the round for itself alone.

    Attributes:
        expected: Names of workers that were here and did not say goodbye.
        needed: Fewest workers of a round.
        grace_s: Seconds that the others have once there are enough.
        open_at: When the round opens with whoever is here, if these are enough.
        deadline: When nobody is waited for any longer, and the run fails if too few are here.
        root: An evaluator is needed, too, for its root update.
    """

    expected: set[str]
    needed: int
    grace_s: float
    open_at: float
    deadline: float
    root: bool = False
    _enough: bool = field(default=False)

    def is_over(self, roster: Roster, now: float) -> bool:
        """True if the round can open. Ask whenever somebody came or went, or `next_wake` has come."""
        enough = roster.candidate_count >= self.needed and not self._lacks_evaluator(roster)
        if enough and not self._enough:
            self.open_at = max(self.open_at, now + self.grace_s)
        self._enough = enough
        closes_at = min(self.open_at, self.deadline)  # at the deadline, enough are better than none
        return enough and (now >= closes_at or all(name in roster for name in self.expected))

    @property
    def next_wake(self) -> float:
        """When `is_over` may change although nobody came or went, or the deadline."""
        return min(self.open_at if self._enough else math.inf, self.deadline)

    def missing(self, roster: Roster, round: int) -> str:
        """Who is waited for, in words."""
        absent = ", ".join(sorted(name for name in self.expected if name not in roster))
        evaluator = (
            "an evaluator with --root-examples for the root update" if self._lacks_evaluator(roster) else ""
        )
        lacking = self.needed - roster.candidate_count
        if lacking <= 0:
            return f"{', '.join(filter(None, (evaluator, absent)))} for round {round}"
        reasons = "; ".join(words for words in (absent, roster.not_asked()) if words)
        who = f" ({reasons})" if reasons else ""
        ready = "ready " if roster.not_asked() else ""
        workers = f"{lacking} more {ready}worker{'s' if lacking > 1 else ''}"
        return f"{' and '.join(filter(None, (workers, evaluator)))} for round {round}{who}"

    def _lacks_evaluator(self, roster: Roster) -> bool:
        return self.root and not roster.root_evaluators
