"""Gathers the evaluations of one round, which come one at a time, so that they can be shown together."""

from __future__ import annotations

from zfed.facts import Evaluated, EvaluationSkipped, Fact, RoundCommitted, RunEnded
from zfed.telemetry.sentences import FEDERATED, WORKERS

MAX_ROUNDS = 1024
"""Cohorts remembered while their rounds are not evaluated; an evaluator is never that far behind."""


class EvaluationRounds:
    """Collects evaluations until a round's set is complete, the next round's begins, or the run ends.

    A set is complete with the federated model and, if workers' own models are evaluated in this run, those
    of all workers of the round. Nobody announces whether they are, so the first set is taken to want them all
    and, if they do not come, stays pending until the next one begins.
    """

    def __init__(self) -> None:
        self.pending: list[Evaluated] = []
        self._workers: dict[int, list[str]] = {}
        self._own_models = True
        self._settled: set[str] = set()

    def take(self, fact: Fact) -> list[list[Evaluated]]:
        """Note a fact; returns the sets that it ends, each with the federated model last."""
        if isinstance(fact, RoundCommitted):
            self._workers[fact.round] = fact.workers
            if len(self._workers) > MAX_ROUNDS:
                del self._workers[min(self._workers)]
        elif isinstance(fact, Evaluated):
            return self._evaluated(fact)
        elif isinstance(fact, EvaluationSkipped) and self.pending and fact.round == self.pending[0].round:
            self._settled.add(fact.subject)
            return self._finish_if_complete()
        elif isinstance(fact, RunEnded):
            return self._finish()
        return []

    def _evaluated(self, fact: Evaluated) -> list[list[Evaluated]]:
        if fact.subject == WORKERS:  # at a worker, who hears of nothing else
            return [[fact]]
        another_began = bool(self.pending) and fact.round != self.pending[0].round
        ended = self._finish() if another_began else []
        self.pending.append(fact)
        self._settled.add(fact.subject)
        self._own_models |= fact.subject != FEDERATED
        return [*ended, *self._finish_if_complete()]

    def _finish_if_complete(self) -> list[list[Evaluated]]:
        wanted = {FEDERATED}
        if self._own_models:
            wanted.update(self._workers.get(self.pending[0].round, []))
        return self._finish() if wanted <= self._settled else []

    def _finish(self) -> list[list[Evaluated]]:
        if not self.pending:
            return []
        ended = sorted(self.pending, key=lambda fact: fact.subject == FEDERATED)
        self._own_models = any(fact.subject != FEDERATED for fact in ended)
        self._workers = {round: names for round, names in self._workers.items() if round > ended[0].round}
        self.pending, self._settled = [], set()
        return [ended]
