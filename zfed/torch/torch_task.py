"""The PyTorch helper: a user gives a module, a data set and a loss; this trains and evaluates it."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import ClassVar

import torch
from torch import Tensor, nn

from zfed.config.train import TrainSettings
from zfed.control_variates import ControlVariates
from zfed.data.batches import batches_of_round
from zfed.errors import ConfigError, TaskError
from zfed.params import ParameterBuffer, ParameterLayout, TensorKind
from zfed.partition import Partition
from zfed.task import (
    LEARNING_RATE,
    LOSS_BEFORE,
    Context,
    DataSummary,
    EvaluateResult,
    NamedArrays,
    Setup,
    StoppedError,
    Task,
    TrainResult,
)
from zfed.torch.descent import Descent, load_optimizers
from zfed.torch.examples import Batch, Data, Examples
from zfed.torch.losses import Loss, named_loss
from zfed.torch.state_dict import buffer_from_module, load_into_module


class TorchTask(Task):
    """A task made of a PyTorch module, a data set and a loss.

    Derive from it and write `module` and `data`, and `loss` if cross entropy is not what you want. The
    partition (`--labels`, `--partition`) is applied to whatever `data` returns.

    Args:
        local: Names or shell patterns of tensors that never leave their node, separated by commas, for
            instance "bn*" (FedBN, Li et al., arXiv 2102.07623).
    """

    settings_type: ClassVar[type[TrainSettings]] = TrainSettings
    """The record that `[train]` is parsed into; derive one to add keys of your own."""

    evaluation_batch_size: ClassVar[int] = 1000

    local: str = ""

    def __init__(self, *, local: str = "") -> None:
        self.local = local

    @abstractmethod
    def module(self) -> nn.Module:
        """Build the model, freshly initialised from torch's global generator."""

    @abstractmethod
    def data(self, setup: Setup) -> Data:
        """Load the training set of a worker or the test set of an evaluator (`setup.kind`), whole.

        Returns:
            A tuple (inputs, targets) of tensors, or any `torch.utils.data.Dataset` that has a length and
            yields (input, target). If it has an attribute `targets`, those are the labels.
        """

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Mean loss of a batch, a scalar. Cross entropy in nats, also right for log-probabilities."""
        return nn.functional.cross_entropy(outputs, targets)

    def training_loss(self, settings: TrainSettings) -> Loss:
        """What training minimises: `loss`, unless `[train]` names another."""
        return named_loss(settings.loss) if settings.loss else self.loss

    def prepare(self, setup: Setup) -> DataSummary:
        """Load this node's part of the data: `examples` to train on, `tested` to evaluate on."""
        if setup.threads:
            torch.set_num_threads(setup.threads)
        load_optimizers()
        # Test data belong to nobody's part: every evaluator sees all of them
        partition = setup.partition if setup.kind == "worker" else Partition()
        chosen = Examples.select(self.data(setup), partition)
        training, held_out = setup.hold_out(chosen.indices)
        self.examples = Examples(chosen.dataset, training)
        self.tested = Examples(chosen.dataset, held_out) if held_out.size else self.examples
        return DataSummary(
            examples=len(self.examples),
            held_out=held_out.size,
            label_counts=(self.examples if setup.kind == "worker" else self.tested).label_counts() or None,
        )

    def initial_parameters(self, context: Context) -> ParameterBuffer:
        """A module drawn with `context.seed`."""
        with _seeded(context.seed):
            return buffer_from_module(self.module(), local=self._local_patterns)

    def train(self, parameters: NamedArrays, context: Context) -> TrainResult:
        """Train as the `[train]` table says, with a fresh optimiser.

        The same parameters, seed and settings give the same bytes with one thread on one type of machine.

        Raises:
            ConfigError: If the `[train]` table or the device cannot be.
            TaskError: If the loss stops being finite.
            StoppedError: If `context.should_stop()` became true between two batches.
        """
        settings = self.settings_type.parse(context.settings)
        module = self._loaded(parameters, context).train()
        control = ControlVariates.of(context, settings)
        descent = Descent(
            module,
            settings,
            context.round,
            local=self._local_names,
            corrections=control.corrections if control else None,
        )
        loss_of = self.training_loss(settings)
        before = self._loss_before(module, loss_of, context) if LOSS_BEFORE in context.wants else {}
        planned = settings.batch_count(len(self.examples))
        loss_sum, seen, steps = 0.0, 0, 0
        with _seeded(context.seed):
            for steps, (inputs, targets) in enumerate(self._batches(settings, context), start=1):
                loss = loss_of(module(inputs), targets)
                descent.step(loss)
                value = loss.item()
                if not math.isfinite(value):
                    raise TaskError(
                        f"round {context.round}: loss is {value} in batch {steps} of {planned}; a smaller "
                        "learning_rate usually helps"
                    )
                loss_sum += value * len(targets)
                seen += len(targets)
                context.report(steps, planned, loss=value)
        trained = buffer_from_module(module, local=self._local_patterns)
        rate = settings.learning_rate_in(context.round)
        metrics = {"loss": loss_sum / seen, LEARNING_RATE: rate, **before}
        if control:
            metrics |= control.settle(parameters, trained, steps * rate)
        return TrainResult(parameters=trained, examples=len(self.examples), steps=steps, metrics=metrics)

    def _loss_before(self, module: nn.Module, loss_of: Loss, context: Context) -> dict[str, float]:
        """Mean loss over the examples to train on, of the model as it came."""
        loss_sum, device = 0.0, choose_device(context.device)
        module.eval()
        for start in range(0, len(self.examples), self.evaluation_batch_size):
            _stop_if_asked(context)
            inputs, targets = self.examples.batch(slice(start, start + self.evaluation_batch_size))
            with torch.inference_mode():
                loss = loss_of(module(inputs.to(device)), targets.to(device))
            loss_sum += loss.item() * len(targets)
        module.train()
        return {LOSS_BEFORE: loss_sum / len(self.examples)}

    def evaluate(self, parameters: NamedArrays, context: Context) -> EvaluateResult:
        """Mean loss over this node's data, of a worker those it holds out."""
        loss_sum = 0.0
        for outputs, targets in self.predictions(parameters, context):
            loss_sum += self.loss(outputs, targets).item() * len(targets)
        return EvaluateResult(examples=len(self.tested), metrics={"loss": loss_sum / len(self.tested)})

    def predictions(self, parameters: NamedArrays, context: Context) -> Iterator[Batch]:
        """Outputs and targets of all examples to evaluate on, in order, a batch at a time, without gradients.

        Raises:
            StoppedError: If `context.should_stop()` became true between two batches.
        """
        module = self._loaded(parameters, context).eval()
        total = len(self.tested)
        for start in range(0, total, self.evaluation_batch_size):
            _stop_if_asked(context)
            inputs, targets = self.tested.batch(slice(start, start + self.evaluation_batch_size))
            device = choose_device(context.device)
            with torch.inference_mode():
                outputs = module(inputs.to(device))
            yield outputs, targets.to(device)
            context.report(start + len(targets), total)

    @property
    def _local_patterns(self) -> Sequence[str]:
        return [pattern.strip() for pattern in self.local.split(",") if pattern.strip()]

    @property
    def _local_names(self) -> frozenset[str]:
        return frozenset(spec.name for spec in self._layout.tensors if spec.kind is TensorKind.LOCAL)

    @cached_property
    def _module(self) -> nn.Module:
        with _seeded(0):  # its values are overwritten before they are used
            return self.module()

    @cached_property
    def _layout(self) -> ParameterLayout:
        return buffer_from_module(self._module, local=self._local_patterns).layout

    def _loaded(self, parameters: NamedArrays, context: Context) -> nn.Module:
        if not isinstance(parameters, ParameterBuffer):
            parameters = ParameterBuffer.filled(self._layout, parameters)
        module = self._module.to(choose_device(context.device))
        load_into_module(module, parameters)
        return module

    def _batches(self, settings: TrainSettings, context: Context) -> Iterator[Batch]:
        device = choose_device(context.device)
        for positions in batches_of_round(len(self.examples), settings, context):
            inputs, targets = self.examples.batch(positions)
            yield inputs.to(device), targets.to(device)


def choose_device(name: str) -> torch.device:
    """The device of that name; "auto" is the first GPU, or else the CPU.

    Raises:
        ConfigError: If torch does not know the name or cannot use the device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ConfigError(f"device {name!r}: expected cpu, cuda, cuda:1 ... or auto") from None
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ConfigError(
            f"device {name!r}: torch {torch.__version__} sees {torch.cuda.device_count()} CUDA devices; use "
            "cpu or auto"
        )
    return device


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Seed torch's global generator for a while: dropout and initialisation know no other."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


def _stop_if_asked(context: Context) -> None:
    if context.should_stop():
        raise StoppedError
