"""One attempt at a round: what each worker of its cohort was asked, and what came of it."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field

from zfed.engine import (
    Accept,
    Action,
    AskTrain,
    Cancel,
    Fold,
    OpenRound,
    Tell,
    TellCommitted,
    UpdateStaged,
)
from zfed.errors import Flaw, UpdateError
from zfed.facts import RoundCommitted, UpdateAccepted
from zfed.rounds.parts import Part, PartState, merged_metrics, per_worker, shares
from zfed.rounds.refusals import Refusals
from zfed.strategies import Bounds, Contribution, Needs, choose_grid, median_norm
from zfed.wire.messages import AssignmentId


@dataclass(kw_only=True)
class Attempt:
    """The parts of a cohort, and the rules by which they change.

    An event of one worker takes the same time however large the cohort is.

    Attributes:
        number: 1 for a round's first attempt.
        version: The model version the workers start from.
        equal_weights: Every update weighs 1; else as much as its examples.
        own_models: The workers' own models will be evaluated, too.
        deadline: When nobody is waited for any longer.
        refusals: Of the run.
        needs: Of the strategy.
        counted_before: Each worker's last assignment that counts, and its version.
        parts: In the order of the workers' names.
    """

    round: int
    number: int
    version: int
    equal_weights: bool
    own_models: bool
    opened_at: float
    deadline: float
    refusals: Refusals
    needs: Needs = field(default_factory=Needs)
    parts: dict[AssignmentId, Part] = field(default_factory=dict)
    counted_before: Mapping[str, tuple[AssignmentId, int]] = field(default_factory=dict)
    _awaited: dict[str, Part] = field(default_factory=dict)
    _lost_until: dict[str, float] = field(default_factory=dict)  # of those awaited: the end of their grace
    _folding: int = 0

    def add(self, node: str, assignment: AssignmentId, examples: int) -> None:
        """Make this worker one of the cohort; it declared so many examples."""
        part = Part(node=node, assignment=assignment, declared=examples)
        self.parts[assignment] = self._awaited[part.node] = part

    def open(self, bounds: Bounds, present: Container[str]) -> list[Action]:
        """Open the round and ask everybody who is present.

        Raises:
            ConfigError: If there is no grid for these weights and this range; see `choose_grid`.
        """
        parts = list(self.parts.values())
        opened = OpenRound(
            round=self.round,
            attempt=self.number,
            version=self.version,
            cohort=tuple(part.node for part in parts),
            assignments=tuple(part.assignment for part in parts),
            examples=tuple(part.declared for part in parts),
            grid=choose_grid([self._largest_weight(part) for part in parts], bounds.value_range),
            value_range=bounds.value_range,
            max_norm=bounds.max_norm,
        )
        return [opened, *(self.ask(part) for part in parts if part.node in present)]

    def find(self, node: str, assignment: AssignmentId) -> Part | None:
        """The part of this number, if it is this worker's."""
        part = self.parts.get(assignment)
        return part if part is not None and part.node == node else None

    def in_state(self, *states: PartState) -> list[Part]:
        """The parts in these states, in the order of the workers' names."""
        return [part for part in self.parts.values() if part.state in states]

    @property
    def settled(self) -> bool:
        """True once every part is counted or out."""
        return not self._awaited and not self._folding

    def missing(self) -> list[str]:
        """The parts that are out, as "name (why)"."""
        return [f"{part.node} ({part.why})" for part in self.in_state("out")]

    # ---- workers come and go --------------------------------------------------------------------

    def back(self, node: str) -> list[Action]:
        """A worker is here again: what is still awaited of it is asked again, under the same number."""
        part = self._awaited.get(node)
        if part is None:
            return []
        self._lost_until.pop(node, None)
        return [self.ask(part)]

    def awaited(self, node: str) -> Part | None:
        """The part that this worker still owes, if it is here."""
        return None if node in self._lost_until else self._awaited.get(node)

    def gone(self, node: str, *, left: bool, until: float) -> None:
        """A worker went away. If it `left` for good, nobody waits for it, else `until` its grace is over."""
        part = self._awaited.get(node)
        if part is None:
            return
        if left:
            self.drop(part, "left")
        else:
            self._lost_until[node] = until

    def drop(self, part: Part, why: str) -> None:
        """Nothing is awaited of this part any more; it will not count."""
        self._answered(part)
        part.drop(why)

    @property
    def next_wake(self) -> float | None:
        """When `expire` has something to drop; None if nobody is awaited."""
        if not self._awaited:
            return None
        if len(self._lost_until) < len(self._awaited):
            return self.deadline
        return min(self.deadline, max(self._lost_until.values()))

    def waits_for(self) -> str:
        """Who is still awaited, in words."""
        return ", ".join(f"{node} (gone)" if node in self._lost_until else node for node in self._awaited)

    def expire(self, now: float) -> list[Action]:
        """Drop the parts nobody waits for any longer.

        At the deadline that is every part still awaited. Before it, the lost ones, once *all* that are
        awaited are lost and their grace has passed: while one worker computes, the others may come back.
        """
        wake = self.next_wake
        if wake is None or now < wake:
            return []
        late = now >= self.deadline
        why = "no answer by the deadline" if late else "lost, and not back in time"
        actions: list[Action] = []
        for part in list(self._awaited.values()):
            self.drop(part, why)
            reason = f"round {self.round} is closed: {why}"
            actions.append(Cancel(node=part.node, assignment=part.assignment, reason=reason))
        return actions

    # ---- updates come in ------------------------------------------------------------------------

    def take(self, part: Part, update: UpdateStaged) -> list[Action]:
        """An update is here; one that came before is only acknowledged again."""
        accept = Accept(node=part.node, assignment=part.assignment)
        if part.state != "asked":
            return [accept]
        if update.examples > part.declared:
            # The grid was chosen for the declared weights: more would not be summed exactly.
            reason = f"claims {update.examples} examples, {part.declared} were declared when the round opened"
            seen, limit = str(update.examples), str(part.declared)
            return self.refuse(part, Flaw(code="examples", reason=reason, seen=seen, limit=limit))
        try:
            contribution = self._contribution(update)
        except UpdateError as error:
            return self.refuse(part, error.flaw)
        self._answered(part)
        part.state = "folding"
        self._folding += 1
        part.result = update
        part.weight = contribution.weight
        fold = Fold(
            node=part.node,
            assignment=part.assignment,
            round=self.round,
            update=contribution,
            keep=self.own_models,
        )
        accepted = UpdateAccepted(
            node=update.node,
            round=self.round,
            examples=update.examples,
            steps=update.steps,
            seconds=update.seconds,
            bytes=update.bytes,
            metrics=update.metrics,
            limited=update.limited,
        )
        return [accept, fold, Tell(fact=accepted)]

    def folded(self, assignment: AssignmentId, own_model: str) -> None:
        """An accepted update is in the accumulator; `own_model` is the digest of the worker's, if kept."""
        part = self.parts.get(assignment)
        if part is not None and part.state == "folding":
            part.state = "counted"
            part.own_model = own_model
            self._folding -= 1

    def refuse(self, part: Part, flaw: Flaw) -> list[Action]:
        """An update does not count."""
        if part.state != "asked":
            return []
        self.drop(part, f"refused: {flaw.reason}")
        return self.refusals.refused(part.node, part.assignment, self.round, flaw)

    @property
    def largest(self) -> float:
        """Largest |value| of the updates that count."""
        return max(part.result.largest for part in self.in_state("counted") if part.result)

    @property
    def norm(self) -> float:
        """Median norm of the updates that count."""
        return median_norm(part.result.norm for part in self.in_state("counted") if part.result)

    def tell_committed(self) -> list[Action]:
        """Tell the workers whose updates made the next version."""
        return [
            TellCommitted(node=part.node, assignment=part.assignment, version=self.version + 1)
            for part in self.in_state("counted")
        ]

    def summary(
        self, refused: Mapping[str, int], *, rounds: int, now: float, bytes_down: int = 0, bytes_up: int = 0
    ) -> RoundCommitted:
        """What there is to tell of the round when its version is made, or on disk."""
        counted = self.in_state("counted")
        return RoundCommitted(
            round=self.round,
            rounds=rounds,
            version=self.version + 1,
            seconds=now - self.opened_at,
            bytes_down=bytes_down,
            bytes_up=bytes_up,
            workers=[part.node for part in counted],
            weights=shares(counted),
            missing=self.missing(),
            train=merged_metrics(counted),
            per_worker=per_worker(counted),
            refused=dict(refused),
        )

    def _answered(self, part: Part) -> None:
        self._awaited.pop(part.node, None)
        self._lost_until.pop(part.node, None)

    def ask(self, part: Part) -> AskTrain:
        """The order of a part, the same each time."""
        counted = self.counted_before.get(part.node)
        return AskTrain(
            node=part.node,
            assignment=part.assignment,
            round=self.round,
            version=self.version,
            evaluated=self.own_models,
            cohort=len(self.parts),
            counted=counted[0] if counted else None,
        )

    def _contribution(self, update: UpdateStaged) -> Contribution:
        """The update as the strategy will see it, with its weight.

        Raises:
            UpdateError: If the strategy cannot use it.
        """
        return self.needs.weighed(
            Contribution(
                node=update.node,
                examples=update.examples,
                steps=update.steps,
                norm=update.norm,
                metrics=update.metrics,
                share=self._share(update.examples),
            )
        )

    def _largest_weight(self, part: Part) -> float:
        return self._share(part.declared) * self.needs.largest_factor

    def _share(self, examples: int) -> float:
        return 1.0 if self.equal_weights else float(max(examples, 1))
