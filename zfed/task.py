"""The public plug-in: what a user writes so that zfed can train their model on their data.

A task works on *named arrays*: any `Mapping[str, numpy.ndarray]`. What a node passes in is a
`zfed.params.ParameterBuffer`, whose arrays are free views into one flat vector; what a task returns may be
that, or a plain dict. Tensors whose kind is not the default one (`average` for floats, `counter` for
integers and booleans) are declared by returning a `ParameterBuffer` from `initial_parameters`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from zfed.metrics import NO_RULES, Rules
from zfed.partition import Indices, Partition, draw_root, hold_out

Array: TypeAlias = NDArray[Any]
NamedArrays: TypeAlias = Mapping[str, Array]
NodeKind: TypeAlias = Literal["worker", "evaluator"]


LOSS_BEFORE: Final = "loss_before"
"""Metric of an update: mean loss over the training examples of the model as it was received."""

LEARNING_RATE: Final = "learning_rate"
"""Metric of an update: step size of its training."""


class Report(Protocol):
    """Tells whoever watches how far the work is; cheap, so call it often."""

    def __call__(self, done: int, total: int, **metrics: float) -> None:
        """Say that `done` of `total` steps are done, and any numbers worth showing."""


def _report_nothing(done: int, total: int, **metrics: float) -> None:
    pass


def _never() -> bool:
    return False


def _unlimited(epochs: float) -> bool:
    return False


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What a node tells its task once, before it connects.

    Attributes:
        node: The node's name.
        kind: "worker" (holds training data) or "evaluator" (holds test data).
        partition: Which part of the training set is this worker's.
        holdout: Share of that part which a worker keeps from training and evaluates on; 0: none is kept.
        root_examples: How many of its examples an evaluator trains on, if a strategy needs that (FLTrust's
            root data set), and does not evaluate on; 0: it never trains.
        device: "cpu", "cuda", "cuda:1" ...; "auto" lets the task choose.
        threads: Compute threads the task may use; 0 if its library may decide.
        report: Progress of loading the data.
    """

    node: str
    kind: NodeKind
    partition: Partition
    holdout: float = 0.0
    root_examples: int = 0
    device: str = "cpu"
    threads: int = 0
    report: Report = _report_nothing

    def hold_out(self, mine: Indices) -> tuple[Indices, Indices]:
        """Split this node's examples into those to train on and those held out, of which there may be none.

        The same each time, so that no example of the one set ever was in the other.

        Raises:
            DataError: If there are too few examples to split.
        """
        if self.root_examples:
            return draw_root(mine, self.root_examples, self.partition.seed)
        if not self.holdout:
            return mine, mine[:0]
        return hold_out(mine, self.holdout, self.partition.seed)


@dataclass(frozen=True, kw_only=True)
class DataSummary:
    """What a node's data are, in facts that may be told to the coordinator.

    Attributes:
        examples: How many examples this node trains on, or an evaluator that does not train evaluates on; the
            largest weight it may claim.
        held_out: How many more it keeps from training, to evaluate on them. A task that keeps none refuses
            `Setup.holdout` and `Setup.root_examples` by leaving this 0.
        label_counts: Examples per label, if the data have labels. Leaves the machine only with
            `--share-label-counts`.
        classes: How many labels the task knows, 0 if it is no classifier.
        notes: Remarks for the person at the terminal; never leave the machine.
    """

    examples: int
    held_out: int = 0
    label_counts: Mapping[str, int] | None = None
    classes: int = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Context:
    """What a task is told about the piece of work at hand.

    Attributes:
        round: 1, 2, ...; 0 for the first model.
        version: Model version of the parameters received.
        settings: The `[train]` table. The task checks it and refuses what it does not know.
        seed: Seed for all randomness of this work; depends on run, node and version, never on an attempt.
        device: As in `Setup`.
        state: Arrays that this node keeps from one round to the next. Change it freely: the changes count
            once the coordinator has committed the round, and are undone if it did not.
        vectors: Named vectors the coordinator sent beside the model, each a mapping of named arrays.
        wants: Metrics without which the coordinator's strategy cannot use the update, as `LOSS_BEFORE`.
        should_stop: Whether nobody wants this work any more; ask between steps, and raise `StoppedError`.
        should_finish: Whether this node's owner wants training to end here (`--max-epochs`,
            `--max-seconds`); takes the passes over the data that are done. Ask it between steps, only while
            there is more to do, and return what there is: the update says that it was cut short, and why.
    """

    round: int = 0
    version: int = 0
    settings: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    device: str = "cpu"
    state: dict[str, Array] = field(default_factory=dict)
    vectors: Mapping[str, NamedArrays] = field(default_factory=dict)
    wants: tuple[str, ...] = ()
    report: Report = _report_nothing
    should_stop: Callable[[], bool] = _never
    should_finish: Callable[[float], bool] = _unlimited

    def random(self) -> np.random.Generator:
        """A fresh generator seeded with `seed`."""
        return np.random.default_rng(self.seed)


@dataclass(frozen=True, kw_only=True)
class TrainResult:
    """What training produced.

    Attributes:
        parameters: The trained model, same names, shapes and dtypes as received. Arrays are read after
            `train` returned, so do not change them any more.
        examples: Examples behind this update, 1 to `DataSummary.examples`; the update's weight.
        steps: Optimiser steps taken.
        metrics: Finite numbers or histograms, for instance `{"loss": 0.31}`.
        vectors: Named vectors to send beside the update.
    """

    parameters: NamedArrays
    examples: int
    steps: int = 0
    metrics: Mapping[str, Any] = field(default_factory=dict)
    vectors: Mapping[str, NamedArrays] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class EvaluateResult:
    """How good a model is on this node's data.

    A classifier reports `correct`, `accuracy`, `loss` and `predicted`.

    Attributes:
        examples: Examples evaluated, at least 1.
        metrics: As in `TrainResult`. `loss` is the mean in nats; `predicted` a histogram over classes.
    """

    examples: int
    metrics: Mapping[str, Any] = field(default_factory=dict)


class Task(ABC):
    """A model, its data, and how to train and evaluate it.

    `__init__(**settings)` receives this node's private settings (`--set key=value`, or the `[task]` table);
    they never leave the node. All methods are called from one thread, which is not the one that talks to the
    network: they may take as long as they need, but should ask `context.should_stop()` between steps.

    Attributes:
        exact: Names or shell patterns of tensors that must reach the other side unchanged. A link that would
            compress one of them with loss is refused.
        merge: How metrics of many nodes become one, for names that are not to be averaged by examples:
            "sum", "max" or "min". The same at all nodes of a run. Histograms are always added.
    """

    exact: Sequence[str] = ()
    merge: Rules = NO_RULES

    @abstractmethod
    def prepare(self, setup: Setup) -> DataSummary:
        """Load this node's data. Called once, before anything else.

        Raises:
            DataError: If the data are missing, damaged, or none are left after partitioning.
        """

    @abstractmethod
    def initial_parameters(self, context: Context) -> NamedArrays:
        """A first model, drawn with `context.seed`. Also called to learn the names, shapes and dtypes."""

    @abstractmethod
    def train(self, parameters: NamedArrays, context: Context) -> TrainResult:
        """Train from `parameters` on this node's data. `parameters` is read-only.

        Raises:
            ConfigError: If `context.settings` holds something this task does not know.
        """

    @abstractmethod
    def evaluate(self, parameters: NamedArrays, context: Context) -> EvaluateResult:
        """Say how good `parameters` are on this node's data: a worker's are those it holds out.

        `parameters` is read-only.
        """

    def ready(self) -> bool | str:
        """True if this node can work now; else False, or why not: `return self.on_mains() or "on battery"`.

        Asked every `--ready-every` seconds when the task has nothing else to do. A node that is not ready is
        not asked for new work.
        """
        return True


class StoppedError(Exception):
    """Raised by a task that noticed `context.should_stop()`; not a failure."""
