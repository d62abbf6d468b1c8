"""The root update of a round: an evaluator trains, too, so that a strategy can compare workers with it.

FLTrust (Cao et al., arXiv 2012.13995) trusts each worker as far as its update points where an update on a few
clean examples of the coordinator's side points. It is no worker's: it has no weight, is in no mean, and is
asked from the newest version whatever the schedule is. Without it no version is made.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from zfed.engine import Action, Fold, Tell, UpdateStaged
from zfed.facts import UpdateAccepted
from zfed.rounds.parts import Part
from zfed.strategies import Contribution
from zfed.wire.messages import AssignmentId


@dataclass
class RootUpdate:
    """What the evaluator of one attempt was asked, and what came of it.

    Attributes:
        part: Its assignment, and how far that is.
        lost_until: The evaluator is gone, and has until then to come back; None: it is here.
    """

    part: Part
    lost_until: float | None = None

    @property
    def awaited(self) -> bool:
        """True until the update is here, or will not come."""
        return self.part.state == "asked"

    @property
    def settled(self) -> bool:
        """True once it is with the strategy, or will not come."""
        return self.part.state in ("counted", "out")

    @property
    def counted(self) -> bool:
        """True once the strategy has it."""
        return self.part.state == "counted"

    def gone(self, *, left: bool, until: float) -> None:
        """The evaluator went away. If it `left` for good nobody waits for it, else `until` its grace ends."""
        if left and self.awaited:
            self.part.drop("left")
        elif self.awaited:
            self.lost_until = until

    def next_wake(self, alone: bool) -> float:
        """When nobody waits for it any longer; never if nobody does now.

        Args:
            alone: No worker is awaited: while one is, a lost evaluator may as well come back.
        """
        if not self.awaited:
            return math.inf
        grace = self.lost_until if alone and self.lost_until is not None else math.inf
        return min(self.part.deadline, grace)

    def folded(self, assignment: AssignmentId) -> None:
        """The update of this number is with the strategy."""
        if self.part.assignment == assignment and self.part.state == "folding":
            self.part.state = "counted"

    def fold(self, update: UpdateStaged, round: int) -> list[Action]:
        """Give the strategy an update that has come."""
        part = self.part
        part.state, part.result = "folding", update
        share = float(max(update.examples, 1))
        contribution = Contribution(
            node=update.node,
            examples=update.examples,
            steps=update.steps,
            norm=update.norm,
            metrics=update.metrics,
            share=share,
            weight=share,
        )
        fold = Fold(
            node=part.node,
            assignment=part.assignment,
            round=round,
            update=contribution,
            keep=False,
            root=True,
        )
        accepted = UpdateAccepted(
            node=update.node,
            round=round,
            examples=update.examples,
            steps=update.steps,
            seconds=update.seconds,
            bytes=update.bytes,
            metrics=update.metrics,
            limited=update.limited,
            root=True,
        )
        return [fold, Tell(fact=accepted)]
