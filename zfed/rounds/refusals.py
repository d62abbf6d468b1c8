"""Updates that do not count: what is said of them, and which worker is not asked any more because of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from zfed.engine import Action, Refuse, Tell
from zfed.errors import Flaw
from zfed.facts import UpdateRefused, WorkerBenched
from zfed.wire.messages import AssignmentId

STALE = "stale"


@dataclass
class Refusals:
    """Counts the refused updates of a run.

    A worker whose updates were refused `limit` times for what was in them is benched: no cohort has it any
    more. To be late or stale is nobody's fault, and whoever gave a bad first model is not asked for another.

    Args:
        limit: Refusals after which a worker is benched; 0: never.
        strikes: How many updates of each worker were refused, also by earlier starts.
    """

    limit: int
    strikes: Counter[str] = field(default_factory=Counter)
    _by_code: Counter[str] = field(default_factory=Counter)
    _stale: dict[str, int] = field(default_factory=dict)  # the round in which a worker's last was told

    @property
    def benched(self) -> list[str]:
        """Who is not asked any more, in the order of their names."""
        return sorted(node for node in self.strikes if self.is_benched(node))

    def is_benched(self, node: str) -> bool:
        """True if this worker is not asked any more."""
        return 0 < self.limit <= self.strikes[node]

    def sentence(self, node: str) -> str:
        """Why a benched worker is not asked any more, for its owner."""
        return (
            f"{node} is benched: {self.strikes[node]} of its updates were refused, --strikes is "
            f"{self.limit}; it gets no more work in this run, unless that is started again with a higher one"
        )

    def restore(self, strikes: Mapping[str, int]) -> None:
        """Take what earlier starts have counted."""
        self.strikes.update(strikes)

    def refused(self, node: str, assignment: AssignmentId, round: int, flaw: Flaw) -> list[Action]:
        """An update is refused for what is in it; in round 0 it was a first model."""
        self._by_code[flaw.code] += 1
        if not round:
            return self._refusal(
                node, assignment, round, flaw, f"first model of {node} refused: {flaw.reason}"
            )
        reason = f"update of {node} in round {round} refused: {flaw.reason}"
        self.strikes[node] += 1
        if not self.is_benched(node):
            return self._refusal(node, assignment, round, flaw, reason)
        benched = WorkerBenched(
            node=node, round=round, strikes=self.strikes[node], reason=self.sentence(node)
        )
        told = f"{reason}. {benched.reason}"
        return [*self._refusal(node, assignment, round, flaw, told), Tell(fact=benched)]

    def stale(self, node: str, assignment: AssignmentId, round: int, reason: str) -> list[Action]:
        """An update came that nobody wants: told once in a round, whatever a worker offers."""
        self._by_code[STALE] += 1
        if self._stale.get(node) == round:
            return []
        self._stale[node] = round
        return self._told(node, assignment, round, Flaw(code=STALE, reason=reason), reason)

    def counted(self) -> dict[str, int]:
        """How many were refused since this was last asked, by code."""
        counts = dict(sorted(self._by_code.items()))
        self._by_code.clear()
        return counts

    def _refusal(
        self, node: str, assignment: AssignmentId, round: int, flaw: Flaw, reason: str
    ) -> list[Action]:
        refuse = Refuse(node=node, assignment=assignment, code=flaw.code, reason=reason)
        return [refuse, *self._told(node, assignment, round, flaw, reason)]

    def _told(self, node: str, assignment: AssignmentId, round: int, flaw: Flaw, reason: str) -> list[Action]:
        fact = UpdateRefused(
            node=node,
            round=round,
            code=flaw.code,
            reason=reason,
            assignment=assignment,
            tensor=flaw.tensor,
            seen=flaw.seen,
            limit=flaw.limit,
        )
        return [Tell(fact=fact)]
