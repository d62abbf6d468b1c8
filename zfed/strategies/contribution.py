"""One update as a strategy sees it, but for its values; and what a strategy needs of the rest of zfed."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from zfed.errors import UpdateError
from zfed.metrics import Metrics

Factor = Callable[["Contribution"], float]
"""How many times an update's values count beside its share."""


@dataclass(frozen=True, kw_only=True)
class Contribution:
    """An accepted update, but for its values.

    Attributes:
        node: Who sent it.
        examples: What it was trained on.
        steps: Optimiser steps taken; 0 if the task does not say.
        norm: L2 norm of what was learned.
        metrics: What the task reported.
        staleness: Versions that its base is behind.
        share: What it counts for: its examples, or 1 if all weigh the same.
        discount: What its staleness leaves of it, above 0, at most 1. It makes the step smaller and not only
            the others' shares larger, so it is no part of `share`, by whose sum a sum is divided.
        weight: What its values are multiplied by in a sum: `share` times `discount` times the factor of
            `Needs`.
    """

    node: str
    examples: int
    steps: int
    norm: float
    metrics: Metrics
    staleness: int = 0
    share: float
    discount: float = 1.0
    weight: float = 0.0


def _once(update: Contribution) -> float:
    """Every update counts as its share says."""
    return 1.0


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What the rest of zfed must see to for a strategy; it never changes, so whoever needs it may keep it.

    Attributes:
        strategy: Its name, for what is said of an update that it cannot use.
        updates: Fewest updates of a version.
        every_update: All updates of a version are needed at the same time, until `finish`.
        factor: Pure; finite, from 0 to `largest_factor`, of an update whose weight is not set yet. It raises
            `UpdateError` of code "strategy" for an update that cannot be used.
        largest_factor: The grid of the exact sum is chosen for weights up to a share times this.
        sends: Vectors that travel to the workers beside the model.
        root: Each version needs an update of the evaluator, too.
        steps: Updates must say how many steps they took.
        metrics: Numbers that every update must report.
        exact: Updates must come as they were made, not compressed.
        dense: Updates must say all of their numbers, not only the largest.
        fresh: Updates must start from the version that they make a newer one of.
    """

    strategy: str = "this strategy"
    updates: int = 1
    every_update: bool = False
    factor: Factor = _once
    largest_factor: float = 1.0
    sends: tuple[str, ...] = ()
    root: bool = False
    steps: bool = False
    metrics: tuple[str, ...] = ()
    exact: bool = False
    dense: bool = False
    fresh: bool = False

    def weighed(self, update: Contribution) -> Contribution:
        """The update with its weight.

        Raises:
            UpdateError: If it lacks what the strategy needs, or its factor is out of range; code "strategy".
        """
        if self.steps and update.steps < 1:
            raise UpdateError(
                f"it says that it took {update.steps} steps, {self.strategy} needs their number, from 1 on: "
                "the task's train must return steps",
                code="strategy",
                seen=update.steps,
                limit=1,
            )
        for name in self.metrics:
            if not isinstance(update.metrics.get(name), (int, float)):
                raise UpdateError(
                    f"it has no number {name!r} among its metrics, which {self.strategy} needs: the task's "
                    "train must report it",
                    code="strategy",
                    seen=", ".join(sorted(update.metrics)) or "no metrics",
                    limit=name,
                )
        factor = self.factor(update)
        if not (math.isfinite(factor) and 0 <= factor <= self.largest_factor):
            raise UpdateError(
                f"{self.strategy} counts it {factor:g} times, allowed is 0 to {self.largest_factor:g} times",
                code="strategy",
                seen=f"{factor:g}",
                limit=f"{self.largest_factor:g}",
            )
        return replace(update, weight=update.share * update.discount * factor)
