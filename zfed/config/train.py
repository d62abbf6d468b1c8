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
from typing import Any, Final, Literal, TypeVar

from zfed.config.nearest import suggestion
from zfed.errors import ConfigError

Settings = TypeVar("Settings", bound="TrainSettings")

MAX_COUNT = 10_000_000

OPTIMIZERS_WITH: Final = {
    "momentum": ("sgd", "rmsprop"),
    "dampening": ("sgd",),
    "nesterov": ("sgd",),
    "beta1": ("adam", "adamw"),
    "beta2": ("adam", "adamw", "rmsprop"),
    "epsilon": ("adam", "adamw", "adagrad", "rmsprop"),
}
"""Keys that only some optimizers know."""


@dataclass(frozen=True, kw_only=True)
class TrainSettings:
    """Local work of one round, as the `[train]` table says it.

    Attributes:
        batches: Batches per round, taken from a fresh shuffle (and another one if the data run out).
        epochs: Passes over the data per round; 1 if `batches` is not given either.
        batch_size: Examples per batch; the last batch of a pass may be smaller.
        loss: What training minimises, by a name that the task knows; empty: what the task says itself.
        optimizer: Rebuilt each round, so that no momentum outlives the model it was meant for.
        learning_rate: Step size in round 1, or after the warm-up.
        learning_rate_schedule: How it goes on from round to round. "exponential": times
            `learning_rate_decay` each round; "step": that, but only every `learning_rate_rounds` rounds;
            "cosine": along half a cosine down to the floor within `learning_rate_rounds` rounds (Loshchilov
            and Hutter, arXiv 1608.03983, equation 5), where it stays.
        learning_rate_decay: A factor above 0, at most 1.
        learning_rate_rounds: Of "step" and "cosine".
        learning_rate_floor: It never decays below this.
        learning_rate_warmup: Rounds before the schedule begins, in which it rises in equal steps (Goyal et
            al., arXiv 1706.02677, section 2.2).
        momentum: Of sgd and rmsprop, 0 to below 1.
        dampening: Of sgd's momentum, 0 to 1: gradients after the first count 1 - dampening.
        nesterov: Of sgd's momentum: look ahead (Sutskever et al. 2013).
        beta1: Of adam and adamw, 0 to below 1; None: 0.9.
        beta2: Of adam and adamw, and the one mean of rmsprop; None: 0.999, of rmsprop 0.99.
        epsilon: What keeps adaptive optimizers from dividing by 0; None: 1e-8, of adagrad 1e-10.
        weight_decay: L2 penalty, or with adamw decoupled decay, at least 0.
        clip_norm: Gradients longer than this are shortened to it; None: as they are.
        proximal: FedProx's mu, at least 0: training minimises loss + mu/2 ||w - w_t||^2, with w_t the model
            that the round began with (Li et al., arXiv 1812.06127, equation 2).
    """

    batches: int | None = None
    epochs: int | None = None
    batch_size: int = 32
    loss: str = ""
    optimizer: Literal["sgd", "adam", "adamw", "adagrad", "rmsprop"] = "sgd"
    learning_rate: float = 0.01
    learning_rate_schedule: Literal["exponential", "step", "cosine"] = "exponential"
    learning_rate_decay: float = 1.0
    learning_rate_rounds: int | None = None
    learning_rate_floor: float = 0.0
    learning_rate_warmup: int = 0
    momentum: float = 0.0
    dampening: float = 0.0
    nesterov: bool = False
    beta1: float | None = None
    beta2: float | None = None
    epsilon: float | None = None
    weight_decay: float = 0.0
    clip_norm: float | None = None
    proximal: float = 0.0

    def __post_init__(self) -> None:
        for name in ("batches", "epochs", "batch_size", "learning_rate_rounds"):
            value = getattr(self, name)
            if value is not None:
                self._require(name, 1 <= value <= MAX_COUNT, f"a count from 1 to {MAX_COUNT}")
        if self.batches is not None and self.epochs is not None:
            raise ConfigError("[train] gives both batches and epochs: keep one of them")
        self._check_learning_rate()
        self._check_optimizer()
        self._require("weight_decay", self.weight_decay >= 0, "at least 0")
        self._require("clip_norm", self.clip_norm is None or self.clip_norm > 0, "more than 0")
        self._require("proximal", self.proximal >= 0, "at least 0")

    def _check_learning_rate(self) -> None:
        self._require("learning_rate", self.learning_rate > 0, "more than 0")
        self._require("learning_rate_decay", 0 < self.learning_rate_decay <= 1, "more than 0, at most 1")
        highest = f"at least 0, at most the learning_rate of {self.learning_rate:g}"
        self._require("learning_rate_floor", 0 <= self.learning_rate_floor <= self.learning_rate, highest)
        allowed = f"a count from 0 to {MAX_COUNT}"
        self._require("learning_rate_warmup", 0 <= self.learning_rate_warmup <= MAX_COUNT, allowed)
        schedule, rounds = self.learning_rate_schedule, self.learning_rate_rounds
        if schedule == "exponential" and rounds is not None:
            raise ConfigError("[train] learning_rate_rounds belongs to step and cosine, not exponential")
        if schedule != "exponential" and rounds is None:
            raise ConfigError(f"[train] learning_rate_schedule {schedule} wants learning_rate_rounds")
        if schedule == "cosine" and self.learning_rate_decay != 1:
            raise ConfigError("[train] learning_rate_decay does not go with cosine: remove one of the two")
        if schedule == "step" and self.learning_rate_decay == 1:
            raise ConfigError("[train] learning_rate_schedule step wants a learning_rate_decay below 1")

    def _check_optimizer(self) -> None:
        self._require("momentum", 0 <= self.momentum < 1, "at least 0, below 1")
        self._require("dampening", 0 <= self.dampening <= 1, "from 0 to 1")
        for name in ("beta1", "beta2"):
            value = getattr(self, name)
            self._require(name, value is None or 0 <= value < 1, "at least 0, below 1")
        self._require("epsilon", self.epsilon is None or self.epsilon > 0, "more than 0")
        for name, optimizers in OPTIMIZERS_WITH.items():
            if getattr(self, name) and self.optimizer not in optimizers:
                whose = " and ".join(optimizers)
                raise ConfigError(
                    f"[train] {name} belongs to {whose}, not {self.optimizer}: remove one of the two"
                )
        if (self.nesterov or self.dampening) and not self.momentum:
            name = "nesterov" if self.nesterov else "dampening"
            raise ConfigError(f"[train] {name} changes nothing without momentum: give both or none")
        if self.nesterov and self.dampening:
            raise ConfigError("[train] nesterov does not go with dampening: remove one of the two")

    @classmethod
    def parse(cls: type[Settings], table: Mapping[str, Any]) -> Settings:
        """Check a `[train]` table.

        Raises:
            ConfigError: If a key is unknown (the nearest known one is named), or a value has the wrong type
                or is out of range, or two of them contradict each other.
        """
        types = typing.get_type_hints(cls)
        known = [field.name for field in dataclasses.fields(cls)]
        for name in table:
            if name not in known:
                raise ConfigError(f"[train] has an unknown key {name!r}; {suggestion(name, known)}")
        return cls(**{name: _checked(name, value, types[name]) for name, value in table.items()})

    def learning_rate_in(self, round: int) -> float:
        """Step size in round 1, 2, ..."""
        warm = round - self.learning_rate_warmup
        if warm < 1:
            return self.learning_rate * max(round, 1) / (self.learning_rate_warmup + 1)
        passed, rounds = warm - 1, self.learning_rate_rounds or 1
        if self.learning_rate_schedule == "cosine":
            height = (1 + math.cos(math.pi * min(passed / rounds, 1.0))) / 2
            return self.learning_rate_floor + height * (self.learning_rate - self.learning_rate_floor)
        decayed = self.learning_rate * self.learning_rate_decay ** (passed // rounds)
        return max(decayed, self.learning_rate_floor)

    def batch_count(self, examples: int) -> int:
        """Batches, and so optimiser steps, of one round on this many examples."""
        if self.batches is not None:
            return self.batches
        return (self.epochs or 1) * math.ceil(examples / self.batch_size)

    def _require(self, name: str, holds: bool, allowed: str) -> None:
        if not holds:
            raise ConfigError(f"[train] {name} is {getattr(self, name)!r}, expected {allowed}")


def steps_asked(table: Mapping[str, Any], examples: int) -> int | None:
    """Optimiser steps that a `[train]` table asks of a node with so many examples; None: it does not say.

    It does if it gives `batches`, or both `epochs` and `batch_size`, as `TrainSettings` knows them. Otherwise
    they are up to the task, which has defaults, and maybe keys, of its own.
    """
    said = {name: table[name] for name in ("batches", "epochs", "batch_size") if name in table}
    if "batches" not in said and said.keys() != {"epochs", "batch_size"}:
        return None
    try:
        return TrainSettings.parse(said).batch_count(examples)
    except ConfigError:
        return None


def _checked(name: str, value: object, expected: Any) -> Any:
    """Return value as the annotated type; an integer will do for a float, a boolean never for a number."""
    if typing.get_origin(expected) is Literal:
        choices = typing.get_args(expected)
        if value not in choices:
            hint = suggestion(value, choices) if isinstance(value, str) else f"known: {', '.join(choices)}"
            raise ConfigError(f"[train] {name} is {value!r}; {hint}")
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
