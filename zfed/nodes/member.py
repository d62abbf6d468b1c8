"""A worker or an evaluator as a program: its socket and its task around `MemberLogic`."""

from __future__ import annotations

import logging
import math
import random
import re
import secrets
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any, ClassVar

from zfed.config import NodeConfig
from zfed.errors import DataError, UsageError
from zfed.facts import Fact, NodeStarted, Observer, RunEnded
from zfed.nodes import member_words, words
from zfed.nodes.allocator import keep_freed_chunks
from zfed.nodes.introduction import introduction
from zfed.nodes.link_compression import check_wishes
from zfed.nodes.member_keys import MemberKeys
from zfed.nodes.member_logic import MemberLogic
from zfed.nodes.owner_limits import OwnerLimits
from zfed.nodes.patience import Awaited, Patience
from zfed.nodes.pump import Pump
from zfed.nodes.readiness import Readiness
from zfed.nodes.rejection import Rejection
from zfed.nodes.state_folder import StateFolder, state_folder
from zfed.nodes.task_host import Prepared
from zfed.nodes.task_runner import TaskRunner
from zfed.nodes.tracing import TracedMember
from zfed.nodes.words import StopRequested
from zfed.partition import Partition
from zfed.tags import parse_tags
from zfed.task import NodeKind, Setup, Task
from zfed.telemetry import Trace, open_trace
from zfed.transport import SocketConnector, addresses_in
from zfed.wire.messages import NODE_NAME_PATTERN

log = logging.getLogger(__name__)

TASK_STOP_S = 3.0


class Member:
    """What `Worker` and `Evaluator` share. One object is one start of one node.

    Args:
        config: Who this node is and where its coordinator listens.
        task: The task; by default `config.task` is loaded with `settings`.
        settings: Private settings of the task; they never leave this node.
        observer: Is told what happens, from the thread that calls `run`.

    Raises:
        UsageError: If the configuration cannot work, or a key is missing.
        CheckpointError: If a file of keys cannot be read.
        TaskError: If the task cannot be loaded.
    """

    kind: ClassVar[NodeKind]

    def __init__(
        self,
        config: NodeConfig,
        *,
        task: Task | None = None,
        settings: Mapping[str, Any] | None = None,
        observer: Observer | None = None,
    ) -> None:
        self._config = config
        self._name = _checked_name(config.name or socket.gethostname())
        self._addresses = addresses_in(config.connect)
        self._partition = Partition.parse(
            labels=config.labels or None, spec=config.partition or None, seed=config.partition_seed
        )
        self._tags = parse_tags(config.tag)
        check_wishes(config)
        self._keys = None if config.insecure else MemberKeys(config, self._name, self._addresses)
        self._observer = observer or (lambda fact: None)
        self._task = task if task is not None else _loaded(config.task, settings or {})
        self._readiness = Readiness(config, task_says=type(self._task).ready is not Task.ready)
        self._pump: Pump | None = None
        self._patience = Patience()
        self._stop_reason: str | None = None

    def stop(self, reason: str) -> None:
        """Ask the node to stop; from any thread or signal handler."""
        self._stop_reason = reason
        if self._pump is not None:
            self._pump.post(StopRequested(reason))

    def run(self) -> RunEnded:
        """Take part until the run has ended (for ever, with `stay`), was refused or stopped.

        Raises:
            ZfedError: If the task could not be prepared, the address is none, or no trace can be written.
        """
        config = self._config
        setup = Setup(
            node=self._name,
            kind=self.kind,
            partition=self._partition,
            holdout=config.holdout if self.kind == "worker" else 0.0,
            root_examples=config.root_examples if self.kind == "evaluator" else 0,
            device=config.device,
            threads=config.threads,
        )
        keep_freed_chunks()
        folder = StateFolder(state_folder(config.state, self._name))
        limits = OwnerLimits(max_epochs=config.max_epochs, max_seconds=config.max_seconds)
        runner = TaskRunner(self._task, setup, folder, limits)
        try:
            prepared = runner.prepare(self._stopped_while_it_loads)
            if prepared is None:
                return self._ended(words.Finish("stopped", self._stop_reason or ""))
            with open_trace(config.trace, self._name) or nullcontext() as trace:
                return self._run(runner, prepared, trace)
        finally:
            if not runner.close(TASK_STOP_S):
                log.warning("the task of %s did not stop within %g s", self._name, TASK_STOP_S)

    def _stopped_while_it_loads(self) -> bool:
        awaited = Awaited(f"the task of {self._name} to load its data")
        if waiting := self._patience.look(awaited, time.monotonic()):
            self._tell(waiting)
        return self._stop_reason is not None

    def _run(self, runner: TaskRunner, prepared: Prepared, trace: Trace | None) -> RunEnded:
        config, summary = self._config, prepared.summary
        if summary.examples < 1:
            raise DataError(
                f"{self._name} has no examples: nothing is left of its data after partitioning "
                f"({self._partition.describe()}); see --labels and --partition"
            )
        hello = introduction(
            node=self._name,
            kind=self.kind,
            instance=secrets.token_hex(16),
            partition=self._partition,
            prepared=prepared,
            share_label_counts=config.share_label_counts,
            compress=config.compress,
            compress_model=config.compress_model,
            tags=self._tags,
            unready=self._readiness.unready,
        )
        logic = MemberLogic(
            hello=hello,
            layout=prepared.layout,
            addresses=self._addresses,
            connect_timeout_s=config.connect_timeout_s or math.inf,
            stop_timeout_s=config.stop_timeout_s,
            stay=config.stay,
            limit_up=config.limit_up,
            limit_down=config.limit_down,
            jitter=lambda: random.uniform(0.5, 1.5),
            rejection=self._rejection(),
        )
        connector = SocketConnector(security=self._keys.security if self._keys else None)
        driven = logic if trace is None else TracedMember(logic, trace)
        pump = self._pump = Pump(driven, connector, self._effects(connector, runner))
        self._tell(self._started(prepared))
        if self._stop_reason is not None:
            pump.post(StopRequested(self._stop_reason))
        self._readiness.start(
            lambda unready: pump.post(member_words.ReadinessSaid(unready)), runner.ask_ready
        )
        try:
            finish = pump.run()
        finally:
            self._readiness.close()
            connector.close()
            pump.close()
        return self._ended(finish)

    def _effects(self, connector: SocketConnector, runner: TaskRunner) -> dict[type, Callable[[Any], None]]:
        def start(effect: member_words.StartWork) -> None:
            if self._pump is not None:
                runner.start(effect.work, self._pump.post)

        def save_again(effect: member_words.SaveAgain) -> None:
            if self._pump is not None:
                runner.save_again(effect.assignment, self._pump.post)

        return {
            words.TellFact: lambda effect: self._tell(effect.fact),
            member_words.Connect: lambda effect: connector.open(effect.address),
            member_words.Disconnect: lambda effect: connector.disconnect(),
            member_words.StartWork: start,
            member_words.StopWork: lambda effect: runner.stop(effect.assignment),
            member_words.SaveAgain: save_again,
            member_words.EnterRun: lambda effect: runner.enter(effect.key),
            member_words.KeepState: lambda effect: runner.keep(effect.assignment),
            member_words.DropState: lambda effect: runner.drop(effect.assignment),
            member_words.SettleState: lambda effect: runner.settle(effect.counted, effect.version),
            member_words.RenameState: lambda effect: runner.rename(effect.old, effect.new),
        }

    def _started(self, prepared: Prepared) -> NodeStarted:
        summary = prepared.summary
        return NodeStarted(
            node=self._name,
            kind=self.kind,
            coordinator=" or ".join(self._addresses),
            examples=summary.examples,
            partition=self._partition.describe() if self.kind == "worker" else "",
            label_counts=summary.label_counts,
            leaving=self._leaving(prepared),
            notes=list(summary.notes),
            protected=self._protected,
            held_out=summary.held_out,
        )

    @property
    def _protected(self) -> bool:
        return self._keys is not None

    def _rejection(self) -> Rejection:
        if self._keys is None:
            return Rejection(self._name)
        fingerprints = {address: key.fingerprint for address, key in self._keys.pinned.items()}
        return Rejection(self._name, self._keys.public.text, fingerprints)

    def _leaving(self, prepared: Prepared) -> list[str]:
        """Every fact about this node's data that the coordinator is told."""
        facts = [f"number of examples: {prepared.summary.examples:,}"]
        if prepared.summary.held_out:
            facts.append(f"number of examples held out for evaluation: {prepared.summary.held_out:,}")
        if self.kind == "worker":
            facts.append(f"partition: {self._partition.describe()}")
        if self._tags:
            facts.append(f"its tags: {', '.join(self._tags)}")
        if self._readiness:
            facts.append("whether this node can work now, and if not, why")
        if prepared.summary.classes:
            facts.append(f"number of classes: {prepared.summary.classes}")
        if prepared.summary.label_counts is not None and self._config.share_label_counts:
            facts.append("examples per label, because of --share-label-counts")
        if self._config.root_examples and self.kind == "evaluator":
            facts.append("if the strategy asks, each round: the change of the model on its root examples")
        if self.kind == "worker":
            facts.append("each round: the change of the model, examples used, steps, time, training metrics")
        if self.kind == "evaluator" or prepared.summary.held_out:
            facts.append("each evaluation: examples used, time, and evaluation metrics")
        return facts

    def _ended(self, finish: words.Finish) -> RunEnded:
        ended = RunEnded(
            status=finish.status,
            reason=finish.reason,
            rounds_done=finish.rounds_done,
            rounds=finish.rounds,
            version=finish.version,
            evaluated=True,
            model="",
            metrics="",
            plot="",
            protected=self._protected,
        )
        self._tell(ended)
        return ended

    def _tell(self, fact: Fact) -> None:
        self._observer(fact)


def _loaded(reference: str, settings: Mapping[str, Any]) -> Task:
    from zfed.tasks.loading import load_task  # built-in tasks may bring torch: only nodes that load one pay

    return load_task(reference, settings)


def _checked_name(name: str) -> str:
    if re.fullmatch(NODE_NAME_PATTERN.strip("^$"), name):
        return name
    raise UsageError(
        f"node name {name!r}: expected 1 to 64 letters, digits, '.', '_' and '-', first a letter or digit; "
        "choose one with --name"
    )
