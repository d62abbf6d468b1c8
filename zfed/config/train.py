"""The `[train]` table: how a worker trains, checked whole before the first step.

It travels from the coordinator to the workers each round, so its values are what another machine sent. A task
with settings of its own derives a record from `TrainSettings` and parses that.
"""

from __future__ import annotations

import dataclasses
import math
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from zfed.config.nearest import suggestion
from zfed.errors import ConfigError

Settings = TypeVar("Settings", bound="TrainSettings")

MAX_COUNT = 10_000_000


@dataclass(frozen=True, kw_only=True)
class TrainSettings:
    """Local work of one round, as the `[train]` table says it.

    Attributes:
        batches: Batches per round, taken from a fresh shuffle (and another one if the data run out).
        epochs: Passes over the data per round; 1 if `batches` is not given either.
        batch_size: Examples per batch; the last batch of a pass may be smaller.
        optimizer: Rebuilt each round, so that no momentum outlives the model it was meant for.
        learning_rate: Step size in round 1.
        learning_rate_decay: Factor on it from each round to the next.
        learning_rate_floor: It never decays below this.
        momentum: Of sgd, 0 to below 1.
        weight_decay: L2 penalty (sgd, adam) or decoupled decay (adamw), at least 0.
    """

    batches: int | None = None
    epochs: int | None = None
    batch_size: int = 32
    optimizer: Literal["sgd", "adam", "adamw"] = "sgd"
    learning_rate: float = 0.01
    learning_rate_decay: float = 1.0
    learning_rate_floor: float = 0.0
    momentum: float = 0.0
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        for name in ("batches", "epochs", "batch_size"):
            value = getattr(self, name)
            if value is not None:
                self._require(name, 1 <= value <= MAX_COUNT, f"a count from 1 to {MAX_COUNT}")
        if self.batches is not None and self.epochs is not None:
            raise ConfigError("[train] gives both batches and epochs: keep one of them")
        self._require("learning_rate", self.learning_rate > 0, "more than 0")
        self._require("learning_rate_decay", 0 < self.learning_rate_decay <= 1, "more than 0, at most 1")
        self._require("learning_rate_floor", self.learning_rate_floor >= 0, "at least 0")
        self._require("momentum", 0 <= self.momentum < 1, "at least 0, below 1")
        if self.momentum and self.optimizer != "sgd":
            raise ConfigError(f"[train] momentum belongs to sgd, not {self.optimizer}: remove one of the two")
        self._require("weight_decay", self.weight_decay >= 0, "at least 0")

    @classmethod
    def parse(cls: type[Settings], table: Mapping[str, Any]) -> Settings:
        """Check a `[train]` table.

        Raises:
            ConfigError: If a key is unknown (the nearest known one is named), or a value has the wrong type
                or is out of range.
        """
        types = typing.get_type_hints(cls)
        known = [field.name for field in dataclasses.fields(cls)]
        for name in table:
            if name not in known:
                raise ConfigError(f"[train] has an unknown key {name!r}; {suggestion(name, known)}")
        return cls(**{name: _checked(name, value, types[name]) for name, value in table.items()})

    def learning_rate_in(self, round: int) -> float:
        """Step size in round 1, 2, ..."""
        decayed = self.learning_rate * self.learning_rate_decay ** max(round - 1, 0)
        return max(decayed, self.learning_rate_floor)

    def batch_count(self, examples: int) -> int:
        """Batches, and so optimiser steps, of one round on this many examples."""
        if self.batches is not None:
            return self.batches
        return (self.epochs or 1) * math.ceil(examples / self.batch_size)

    def _require(self, name: str, holds: bool, allowed: str) -> None:
        if not holds:
            raise ConfigError(f"[train] {name} is {getattr(self, name)!r}, expected {allowed}")


def _checked(name: str, value: object, expected: Any) -> Any:
    """Return value as the annotated type; an integer will do for a float, a boolean never for a number."""
    if typing.get_origin(expected) is Literal:
        choices = typing.get_args(expected)
        if value not in choices:
            raise ConfigError(f"[train] {name} is {value!r}, expected one of {', '.join(choices)}")
        return value
    if value is None and type(None) in typing.get_args(expected):
        return None
    allowed = {kind for kind in typing.get_args(expected) or (expected,) if kind is not type(None)}
    if float in allowed and type(value) is int:
        value = float(value)
    if type(value) not in allowed:
        kinds = " or ".join(sorted(kind.__name__ for kind in allowed))
        raise ConfigError(f"[train] {name} is {value!r}, expected {kinds}")
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(f"[train] {name} is {value!r}, expected a finite number")
    return value
