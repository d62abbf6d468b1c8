"""One attempt at a round: what each worker of its cohort was asked, and what came of it."""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field

from zfed.engine import (
    Accept,
    Action,
    AskTrain,
    Cancel,
    Enlist,
    Fold,
    Keep,
    NodeReady,
    OpenRound,
    Refuse,
    Tell,
    TellCommitted,
    UpdateStaged,
)
from zfed.errors import Flaw, UpdateError
from zfed.facts import RoundCommitted, UpdateAccepted
from zfed.rounds.merging import Merging
from zfed.rounds.parts import Part, PartState, UnderWay, merged_metrics, per_worker, shares
from zfed.rounds.refusals import STALE, Refusals
from zfed.rounds.root import RootUpdate
from zfed.rounds.schedule import Schedule
from zfed.rounds.selection import Drawn
from zfed.strategies import Bounds, Contribution, Needs, choose_grid, median_norm
from zfed.wire.messages import AssignmentId

LATE = "no answer by the deadline"
LOST = "lost, and not back in time"
NOT_NEEDED = "enough others had answered"


@dataclass(kw_only=True)
class Attempt:
    """The parts of a cohort, and the rules by which they change.

    An event of one worker takes the same time however large the cohort is.

    Attributes:
        number: 1 for a round's first attempt.
        version: The current model version, from which workers start unless asked in a round before.
        equal_weights: Every update weighs 1; else as much as its examples.
        own_models: The workers' own models will be evaluated, too.
        deadline: When nobody is waited for any longer.
        refusals: Of the run.
        schedule: When the round closes, and what becomes of what is under way then.
        needs: Of the strategy.
        needed: Fewest updates that make a version.
        oldest: Versions that an update may be behind.
        merging: How the workers' metrics become one; after a restart not known until one is here.
        counted_before: Each worker's last assignment that counts, and its version.
        parts: In the order of the workers' names, those that joined later last.
        goal: Updates that close the round; 0: all that were asked for.
        drawn: How its cohort came about.
        root: What an evaluator is asked for beside them, if the strategy needs that.
        heaviest: Examples of the heaviest worker that may join it.
    """

    round: int
    number: int
    version: int
    equal_weights: bool
    own_models: bool
    opened_at: float
    deadline: float
    refusals: Refusals
    schedule: Schedule = field(default_factory=Schedule)
    needs: Needs = field(default_factory=Needs)
    needed: int = 1
    oldest: int = 0
    merging: Merging = field(default_factory=Merging)
    parts: dict[AssignmentId, Part] = field(default_factory=dict)
    counted_before: Mapping[str, tuple[AssignmentId, int]] = field(default_factory=dict)
    goal: int = 0
    drawn: Drawn = field(default_factory=Drawn)
    root: RootUpdate | None = None
    heaviest: int = 0
    _by_node: dict[str, Part] = field(default_factory=dict)
    _awaited: dict[str, Part] = field(default_factory=dict)
    _lost_until: dict[str, float] = field(default_factory=dict)  # of those awaited: the end of their grace
    _back: list[Part] = field(default_factory=list)  # taken over, and perhaps in need of their order
    _folding: int = 0
    _counted: int = 0
    _enough_at: float = math.inf  # when the goal was reached
    _earliest: float = math.inf  # no awaited part's deadline is before this
    _largest_share: float = 0.0
    _value_range: float = math.inf
    _closed: bool = False

    def __contains__(self, node: object) -> bool:
        return node in self._by_node

    def add(self, node: str, assignment: AssignmentId, examples: int) -> Part:
        """Make this worker one of the cohort; it declared so many examples."""
        part = Part(
            node=node,
            assignment=assignment,
            declared=examples,
            round=self.round,
            version=self.version,
            deadline=self.deadline,
        )
        self._take_in(part)
        return part

    def ask_root(self, evaluator: NodeReady, assignment: AssignmentId) -> None:
        """Let this evaluator make the root update."""
        self.root = RootUpdate(
            Part(
                node=evaluator.node,
                assignment=assignment,
                declared=evaluator.examples,
                round=self.round,
                version=self.version,
                deadline=self.deadline,
            )
        )

    def adopt(self, part: Part, *, lost_until: float | None = None, ask: bool = False) -> list[Action]:
        """Go on with a part of a round before, unless it is too stale by now.

        Args:
            part: Asked, or waiting.
            lost_until: Its worker is gone, and has so long to come back; None: it is here.
            ask: Its worker may not know of its order any more.
        """
        if self.version - part.version > self.oldest:
            part.drop(f"more than {self.oldest} versions old")
            at = f"the run is at {self.version} and allows {self.oldest} versions"
            reason = f"it starts from version {part.version}, {at}: see --max-staleness"
            return [Cancel(node=part.node, assignment=part.assignment, reason=reason)]
        self._take_in(part)
        if lost_until is not None:
            self._lost_until[part.node] = lost_until
        elif ask:
            self._back.append(part)
        return []

    def _take_in(self, part: Part) -> None:
        self.parts[part.assignment] = self._by_node[part.node] = part
        if part.state == "asked":
            self._awaited[part.node] = part
            self._earliest = min(self._earliest, part.deadline)

    def open(self, bounds: Bounds, present: Container[str]) -> list[Action]:
        """Open the round and ask everybody who is present and was not asked before.

        What waits for this round is counted in it, oldest first, up to the goal.

        Raises:
            ConfigError: If there is no grid for these weights and this range; see `choose_grid`.
        """
        parts = list(self.parts.values())
        self.goal = max(self.goal or len(parts), self.needed)
        self._value_range = bounds.value_range
        shares = [self._share(part.declared) for part in parts]
        if self.schedule.joins:  # whoever they will be
            self._largest_share = max(*shares, self._share(self.heaviest))
            shares = [self._largest_share] * self.goal
        opened = OpenRound(
            round=self.round,
            attempt=self.number,
            version=self.version,
            parts=tuple(part.order for part in parts),
            goal=self.goal,
            updates=0 if self.schedule.carries else len(parts) + (self.root is not None),
            candidates=self.drawn.candidates,
            draws=self.drawn.draws,
            grid=choose_grid([share * self.needs.largest_factor for share in shares], bounds.value_range),
            value_range=bounds.value_range,
            max_norm=bounds.max_norm,
            root=self.root.part.order if self.root else None,
        )
        asked = [part for part in parts if part.round == self.round and part.state == "asked"]
        asked += [part for part in self._back if part.round != self.round]
        self._back.clear()
        orders = [self.ask(part) for part in asked if part.node in present]
        if self.root and self.root.part.node in present:
            orders.append(self.ask(self.root.part))
        return [opened, *orders, *self._count_waiting()]

    def join(self, node: str, assignment: AssignmentId, examples: int, now: float) -> list[Action]:
        """Ask another worker, which `bears` says may join, while the round is open."""
        part = self.add(node, assignment, examples)
        part.deadline += now - self.opened_at
        return [Enlist(part=part.order), self.ask(part)]

    def bears(self, examples: int) -> bool:
        """True if who declared so many examples is not too heavy for the grid of this round."""
        return self._share(examples) <= self._largest_share

    def find(self, node: str, assignment: AssignmentId) -> Part | None:
        """The part of this number, if it is this worker's."""
        is_root = self.root is not None and self.root.part.assignment == assignment
        part = self.root.part if self.root and is_root else self.parts.get(assignment)
        return part if part is not None and part.node == node else None

    def in_state(self, *states: PartState) -> list[Part]:
        """The parts in these states, in the order of the workers' names."""
        return [part for part in self.parts.values() if part.state in states]

    @property
    def settled(self) -> bool:
        """True once every part is counted or out, or nothing can come of them."""
        return not self._unfinished and (not self._awaited or self._hopeless)

    @property
    def _unfinished(self) -> bool:
        """True while the round cannot close, whoever is still awaited."""
        return self._folding > 0 or (self.root is not None and not self.root.settled)

    def due(self, now: float) -> bool:
        """True once the round closes: everybody has answered, or as many as it takes."""
        if self._unfinished:
            return False
        if not self._awaited or self._hopeless:
            return True
        enough = self._counted >= self.needed and now >= self.deadline
        return enough or now >= self._enough_at + self.schedule.grace_s

    @property
    def _hopeless(self) -> bool:
        """True if the root update will not come: whoever is at work goes on for the next attempt."""
        return self.root is not None and self.root.part.state == "out"

    def missing(self) -> list[str]:
        """The parts that are out, as "name (why)"."""
        missing = [f"{part.node} ({part.why})" for part in self.in_state("out")]
        if self.root and self._hopeless:
            missing.append(f"{self.root.part.node} (root update: {self.root.part.why})")
        return missing

    @property
    def lacks_root(self) -> bool:
        """True if the strategy needs an evaluator's update, and does not have it."""
        return self.needs.root and not (self.root and self.root.counted)

    # ---- the end of the round -------------------------------------------------------------------

    def close(self) -> list[Action]:
        """Take no more updates. What is under way ends, unless the schedule carries it on."""
        self._closed = True
        if self.schedule.carries:
            return []
        return self._cancel(list(self._awaited.values()), NOT_NEEDED)

    def under_way(self) -> list[UnderWay]:
        """What goes on when the round is over."""
        return [
            UnderWay(part, self._lost_until.get(part.node), ask=part.node in self._lost_until)
            for part in self.in_state("waiting", "asked")
        ]

    # ---- workers come and go --------------------------------------------------------------------

    def back(self, node: str) -> list[Action]:
        """A node is here again: what is still awaited of it is asked again, under the same number."""
        if self.root and self.root.part.node == node:
            self.root.lost_until = None
        self._lost_until.pop(node, None)
        part = self.awaited(node)
        return [self.ask(part)] if part else []

    def awaited(self, node: str) -> Part | None:
        """The part that this node still owes, if it is here."""
        if self.root and self.root.part.node == node:
            return self.root.part if self.root.awaited and self.root.lost_until is None else None
        return None if node in self._lost_until else self._awaited.get(node)

    def gone(self, node: str, *, left: bool, until: float) -> None:
        """A node went away. If it `left` for good, nobody waits for it, else `until` its grace is over."""
        if self.root and self.root.part.node == node:
            self.root.gone(left=left, until=until)
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
        """When `expire` or `due` has something to say; None if nobody is awaited."""
        if self._hopeless:
            return None
        root = self.root.next_wake(alone=not self._awaited) if self.root else math.inf
        workers = self._workers_wake
        if workers is None:
            return root if root < math.inf else None
        return min(workers, root)

    @property
    def _workers_wake(self) -> float | None:
        if not self._awaited:
            return None
        wake = self._earliest
        if not self._unfinished:  # else `due` has to wait for that
            wake = min(wake, self._enough_at + self.schedule.grace_s)
            if self._counted >= self.needed:
                wake = min(wake, self.deadline)
        if len(self._lost_until) == len(self._awaited):
            wake = min(wake, max(self._lost_until.values()))
        return wake

    def waits_for(self) -> str:
        """Who is still awaited, in words."""
        awaited = [f"{node} (gone)" if node in self._lost_until else node for node in self._awaited]
        if self.root and self.root.awaited:
            here = self.root.lost_until is None
            awaited.append(f"{self.root.part.node} (root update{'' if here else ', gone'})")
        return ", ".join(awaited)

    def expire(self, now: float) -> list[Action]:
        """Drop the parts nobody waits for any longer.

        At its deadline that is every part still awaited. Before it, the lost ones, once *all* that are
        awaited are lost and their grace has passed: while one worker computes, the others may come back.
        """
        actions = self._expire_workers(now)
        if self.root and now >= self.root.next_wake(alone=not self._awaited):
            actions += self._cancel([self.root.part], LATE if now >= self.root.part.deadline else LOST)
        return actions

    def _expire_workers(self, now: float) -> list[Action]:
        awaited = list(self._awaited.values())
        if not awaited:
            return []
        if len(self._lost_until) == len(awaited) and now >= max(self._lost_until.values()):
            return self._cancel(awaited, LATE if now >= self.deadline else LOST)
        if now < self._earliest:
            return []
        actions = self._cancel([part for part in awaited if now >= part.deadline], LATE)
        self._earliest = min((part.deadline for part in self._awaited.values()), default=math.inf)
        return actions

    def _cancel(self, parts: Iterable[Part], why: str) -> list[Action]:
        actions: list[Action] = []
        for part in parts:
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
        if self.root and part is self.root.part:
            return [accept, *self.root.fold(update, self.round)]
        if flaw := self._flaw(part, update):
            return self.refuse(part, flaw)
        self._answered(part)
        part.result = update
        if not self.full:
            return [accept, *self._fold(part)]
        if self.schedule.carries:
            part.state = "waiting"
            return [accept, Keep(assignment=part.assignment)]
        part.drop(NOT_NEEDED)
        reason = f"round {self.round} is closed: {NOT_NEEDED}"
        return [Refuse(node=part.node, assignment=part.assignment, code=STALE, reason=reason)]

    @property
    def at_work(self) -> int:
        """How many workers have not answered."""
        return len(self._awaited)

    @property
    def full(self) -> bool:
        """True if the round has all the updates that it wants."""
        enough = 0 < self.goal <= self._counted + self._folding and not self.schedule.grace_s
        return self._closed or enough

    def _count_waiting(self) -> list[Action]:
        actions: list[Action] = []
        for part in self.in_state("waiting"):
            if self.full:
                break
            # The range was that of the round before when it came.
            flaw = self._flaw(part, part.result) if part.result else None
            actions += self.refuse(part, flaw) if flaw else self._fold(part)
        return actions

    def _flaw(self, part: Part, update: UpdateStaged) -> Flaw | None:
        if update.examples > part.declared:
            # The grid was chosen for the declared weights: more would not be summed exactly.
            reason = f"claims {update.examples} examples, {part.declared} were declared when the round opened"
            return Flaw(code="examples", reason=reason, seen=str(update.examples), limit=str(part.declared))
        if update.largest > self._value_range:
            seen, limit = f"{update.largest:g}", f"{self._value_range:g}"
            reason = f"holds {seen}, the largest value allowed by now is {limit}: see --value-range"
            return Flaw(code="value-range", reason=reason, seen=seen, limit=limit)
        try:
            self._contribution(part, update)
        except UpdateError as error:
            return error.flaw
        return None

    def _fold(self, part: Part) -> list[Action]:
        update = part.result
        assert update is not None
        contribution = self._contribution(part, update)
        part.state = "folding"
        part.staleness = contribution.staleness
        part.weight = contribution.weight
        self._folding += 1
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
        return [fold, Tell(fact=accepted)]

    def folded(self, assignment: AssignmentId, own_model: str, now: float) -> None:
        """An accepted update is in the accumulator; `own_model` is the digest of the worker's, if kept."""
        if self.root:
            self.root.folded(assignment)
        part = self.parts.get(assignment)
        if part is not None and part.state == "folding":
            part.state = "counted"
            part.own_model = own_model
            self._folding -= 1
            self._counted += 1
            if self._counted == self.goal:
                self._enough_at = now

    def refuse(self, part: Part, flaw: Flaw) -> list[Action]:
        """An update does not count."""
        if part.state not in ("asked", "waiting"):
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
        """Tell the nodes whose updates made the next version."""
        made = [*self.in_state("counted"), *([self.root.part] if self.root else [])]
        return [
            TellCommitted(node=part.node, assignment=part.assignment, version=self.version + 1)
            for part in made
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
            train=merged_metrics(counted, self.merging.rules),
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
            round=part.round,
            version=part.version,
            evaluated=self.own_models and part.assignment in self.parts,
            cohort=len(self.parts),
            counted=counted[0] if counted else None,
        )

    def _contribution(self, part: Part, update: UpdateStaged) -> Contribution:
        """The update as the strategy will see it, with its weight.

        Raises:
            UpdateError: If the strategy cannot use it.
        """
        staleness = self.version - part.version
        return self.needs.weighed(
            Contribution(
                node=update.node,
                examples=update.examples,
                steps=update.steps,
                norm=update.norm,
                metrics=update.metrics,
                staleness=staleness,
                share=self._share(update.examples),
                discount=self.schedule.staleness.factor(staleness),
            )
        )

    def _share(self, examples: int) -> float:
        return 1.0 if self.equal_weights else float(max(examples, 1))
