"""Whole runs in one thread under a virtual clock: the same logics, numbers and files, no sockets, no waiting.

A `Simulation` is a small world: a network with faults, nodes that may crash, come back or be cut off at any
virtual time, and one coordinator after another. The same seed and the same calls give the same trace and the
same bytes.

    simulation = Simulation(seed=1, faults=LinkFaults(loss=0.01))
    simulation.add("alice", MyTask)
    simulation.at(5.0, lambda: simulation.crash("alice"))
    simulation.at(9.0, lambda: simulation.restart("alice"))
    with RunDirectory.create(folder, "run", "") as directory:
        ended = simulation.run(config, directory)
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, get_args

from zfed.checkpoint import RunDirectory
from zfed.config import CoordinatorConfig
from zfed.errors import RunFailedError
from zfed.facts import Fact
from zfed.nodes.aggregation import Aggregation
from zfed.nodes.coordinator import configured_strategy
from zfed.nodes.coordinator_logic import CoordinatorLogic
from zfed.nodes.introduction import introduction
from zfed.nodes.member_logic import MemberLogic
from zfed.nodes.spill_jobs import SpillJobs
from zfed.nodes.task_host import TaskHost, WorkEvent
from zfed.nodes.upload_plan import planner_of
from zfed.nodes.words import (
    Connect,
    Disconnect,
    DropState,
    Effect,
    Finish,
    FramesArrived,
    Input,
    Job,
    KeepState,
    Logic,
    RenameState,
    RouteGone,
    SendFrames,
    SettleState,
    SpillJob,
    StartWork,
    StopRequested,
    StopWork,
    TellFact,
    TimePassed,
    Work,
    WorkDone,
    WorkProgress,
    WorkStopped,
)
from zfed.params import ParameterBuffer
from zfed.partition import Partition
from zfed.task import NodeKind, Setup, Task
from zfed.transport.base import Buffer
from zfed.transport.memory import LinkFaults, MemoryNetwork, VirtualClock
from zfed.wire.messages import AssignmentId

COORDINATOR: Final = "coordinator"

LINGER_S: Final = 1.0
"""How long what a node sent last may still leave after its end, as with sockets."""

MOST_ALARMS: Final = 10
"""A logic may have several things due at once; one that is never done with them would keep a pump busy."""

FREE_MEMORY: Final = 1 << 40
"""What a simulated machine has; the real one must not change what happens."""

WorkSeconds = Callable[[str, Work], float]
"""Virtual seconds that a node of this name takes for a piece of work."""


@dataclass(frozen=True)
class Told:
    """What a node told, and when; `node` is a node's name or "coordinator"."""

    at: float
    node: str
    fact: Fact


@dataclass(frozen=True)
class SimulatedEnd:
    """How a simulated run ended; `model` is its last version, if it had any."""

    finish: Finish
    model: ParameterBuffer | None


class Simulation:
    """One coordinator at a time, and many nodes, under one virtual clock.

    Args:
        seed: Of the network, of back-off times and of the instance numbers of nodes.
        faults: How bad all links are; change `network.faults` to make them better or worse.
        work_s: How long tasks take.

    Attributes:
        clock: The time of all nodes.
        network: What connects them.
        trace: Everything that was told, in order.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        faults: LinkFaults | None = None,
        work_s: WorkSeconds = lambda node, work: 1.0,
    ) -> None:
        self.clock = VirtualClock()
        self.network = MemoryNetwork(self.clock, seed=seed, faults=faults)
        self.trace: list[Told] = []
        self.work_s = work_s
        self.random = random.Random(f"nodes:{seed}")
        self._nodes: dict[str, _Member] = {}
        self._plans: dict[str, _Plan] = {}

    def add(
        self,
        name: str,
        task: Callable[[], Task],
        *,
        kind: NodeKind = "worker",
        partition: Partition | None = None,
        connect_timeout_s: float = math.inf,
        stay: bool = False,
        compress: str = "",
        compress_model: str = "",
        limit_up: float = 0.0,
        limit_down: float = 0.0,
    ) -> None:
        """Start a node now. Each of its starts makes a task of its own.

        Two nodes may have one name; `crash`, `restart` and `stop` then mean the one started last.
        """
        self._plans[name] = _Plan(
            name,
            task,
            kind,
            partition or Partition(),
            connect_timeout_s,
            stay,
            compress,
            compress_model,
            limit_up,
            limit_down,
        )
        self.restart(name)

    def at(self, time: float, call: Callable[[], None]) -> None:
        """Do something, for instance crash a node, when it is `time`."""
        self.clock.at(time, call)

    def crash(self, node: str) -> None:
        """The node is gone in this instant; its connection breaks."""
        self._nodes[node].crash()

    def restart(self, node: str) -> None:
        """Start the node (again), with nothing left of what it knew."""
        self._nodes[node] = _Member(self, self._plans[node])
        self._nodes[node].start()

    def stop(self, node: str, reason: str = "asked to stop") -> None:
        """Ask the node to stop, as Ctrl-C does."""
        self._nodes[node].handle(StopRequested(reason))

    def finish_of(self, node: str) -> Finish | None:
        """How the node's last start ended; None if it has not ended, or crashed."""
        return self._nodes[node].finish

    def run(
        self, config: CoordinatorConfig, directory: RunDirectory, *, until: float = math.inf
    ) -> SimulatedEnd:
        """Run one coordinator from its start to its end.

        Args:
            config: Its configuration.
            directory: Where it writes; a folder in memory makes this much faster.
            until: Virtual time at which it must have ended.

        Raises:
            RunFailedError: If it has not.
        """
        coordinator = _Coordinator(self, config, directory)
        coordinator.start()
        while coordinator.finish is None:
            if not self.clock.step(until):
                raise RunFailedError(f"the run has not ended at {self.clock.now:g} s, and nothing moves it")
        coordinator.crash()  # at once: the next coordinator listens at the same place
        return SimulatedEnd(coordinator.finish, coordinator.aggregation.model)

    def settle(self, *, until: float) -> None:
        """Let time pass up to `until`, for instance for nodes to notice that the coordinator is gone."""
        while self.clock.step(until):
            pass

    def told(self, fact: type[Fact], node: str = COORDINATOR) -> list[Any]:
        """The facts of one type that a node told, oldest first."""
        return [told.fact for told in self.trace if told.node == node and type(told.fact) is fact]


@dataclass(frozen=True)
class _Plan:
    name: str
    task: Callable[[], Task]
    kind: NodeKind
    partition: Partition
    connect_timeout_s: float
    stay: bool
    compress: str
    compress_model: str
    limit_up: float
    limit_down: float


class _Driven:
    """Drives one logic as a pump does: inputs in, effects performed, woken in time."""

    def __init__(self, simulation: Simulation, name: str, logic: Logic) -> None:
        self._simulation = simulation
        self._clock = simulation.clock
        self._name = name
        self._logic = logic
        self._alive = True
        self._wake_at = math.inf
        self._perform: Mapping[type, Callable[[Any], None]] = {}
        self._send: Callable[[bytes, list[Buffer]], bool]
        self._disconnect: Callable[[], None]
        self.finish: Finish | None = None

    def start(self) -> None:
        """Perform the first effects."""
        self._do(self._logic.start(self._clock.now))

    def handle(self, event: Input) -> None:
        """Give the logic an input now, unless it is gone."""
        if self._alive and self.finish is None:
            self._do(self._logic.handle(event, self._clock.now))

    def post(self, event: Input) -> None:
        """Give the logic an input now, but after what is being done."""
        self._clock.at(self._clock.now, lambda: self.handle(event))

    def receive(self, route: bytes, frames: list[Buffer]) -> None:
        """A message has arrived."""
        self.handle(FramesArrived(route, frames))

    def crash(self) -> None:
        """Be gone, in the middle of whatever is done."""
        if self._alive:
            self._alive = False
            self._disconnect()

    def _do(self, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, SendFrames):
                if not self._send(effect.route, effect.frames):
                    self.post(RouteGone(effect.route))
            elif isinstance(effect, Finish):
                self.finish = effect
                self._clock.at(self._clock.now + LINGER_S, self.crash)
            elif isinstance(effect, TellFact):
                self._simulation.trace.append(Told(self._clock.now, self._name, effect.fact))
            else:
                self._perform[type(effect)](effect)
        self._set_alarm()

    def _set_alarm(self) -> None:
        wake = self._logic.next_wake
        if self.finish is None and wake is not None and wake < self._wake_at:
            self._wake_at = wake
            self._clock.at(wake, lambda: self._alarm(wake))

    def _alarm(self, set_for: float) -> None:
        if set_for != self._wake_at or not self._alive:
            return  # another one was set for earlier
        self._wake_at = math.inf
        for _ in range(MOST_ALARMS):
            wake = self._logic.next_wake
            if self.finish is not None or wake is None or wake > self._clock.now:
                self._set_alarm()
                return
            self.handle(TimePassed())
        raise RunFailedError(f"{self._name} wants to be woken at {self._clock.now:g} s again and again")


class _Coordinator(_Driven):
    """A coordinator with its numbers and files; jobs take no virtual time."""

    def __init__(self, simulation: Simulation, config: CoordinatorConfig, directory: RunDirectory) -> None:
        initial = Path(config.run.initial) if config.run.initial else None
        self.aggregation = Aggregation(directory, configured_strategy(config), initial=initial)
        plan_uploads = planner_of(config, self.aggregation.strategy, FREE_MEMORY)
        logic = CoordinatorLogic(config, directory.run_id, plan_uploads, directory.next_incarnation())
        super().__init__(simulation, COORDINATOR, logic)
        listener = simulation.network.listen(self.receive)
        self._send, self._disconnect = listener.send, listener.close
        self._spills = SpillJobs(directory.path)
        self._perform = {
            **{kind: self._job for kind in get_args(Job)},
            **{kind: self._spill for kind in get_args(SpillJob)},
        }

    def _job(self, job: Job) -> None:
        result = self.aggregation.perform(job)
        if result is not None:
            self.post(result)

    def _spill(self, job: SpillJob) -> None:
        result = self._spills.perform(job)
        if result is not None:
            self.post(result)


class _Member(_Driven):
    """One start of a worker or evaluator: its logic, its task, its end of the network."""

    def __init__(self, simulation: Simulation, plan: _Plan) -> None:
        self._host = TaskHost(
            plan.task(),
            Setup(node=plan.name, kind=plan.kind, partition=plan.partition),
            clock=lambda: simulation.clock.now,
        )
        prepared = self._host.prepare()
        hello = introduction(
            node=plan.name,
            kind=plan.kind,
            instance=f"{simulation.random.getrandbits(128):032x}",
            partition=plan.partition,
            prepared=prepared,
            compress=plan.compress,
            compress_model=plan.compress_model,
        )
        logic = MemberLogic(
            hello=hello,
            layout=prepared.layout,
            address="memory",
            connect_timeout_s=plan.connect_timeout_s,
            stay=plan.stay,
            limit_up=plan.limit_up,
            limit_down=plan.limit_down,
            jitter=lambda: simulation.random.uniform(0.5, 1.5),
        )
        super().__init__(simulation, plan.name, logic)
        connector = simulation.network.connector(plan.name, self.receive)
        self._send, self._disconnect = connector.send, connector.disconnect
        self._working: Work | None = None
        self._perform = {
            Connect: lambda effect: connector.open(),
            Disconnect: lambda effect: connector.disconnect(),
            StartWork: lambda effect: self._begin(effect.work),
            StopWork: lambda effect: self._stop_work(effect.assignment),
            KeepState: lambda effect: self._host.keep(effect.assignment),
            DropState: lambda effect: self._host.drop(effect.assignment),
            SettleState: lambda effect: self._host.settle(effect.counted, effect.version),
            RenameState: lambda effect: self._host.rename(effect.old, effect.new),
        }

    def _begin(self, work: Work) -> None:
        """The task does its work now; what came of it is known when its virtual time is over."""
        self._working = work
        events: list[WorkEvent] = []
        self._host.do(work, events.append, lambda: False)
        for event in events:
            if isinstance(event, WorkProgress):
                self.post(event)
        took_s, result = self._simulation.work_s(self._name, work), events[-1]
        if isinstance(result, WorkDone):
            result = replace(result, seconds=took_s)
        self._clock.at(self._clock.now + took_s, lambda: self._end(work, result))

    def _end(self, work: Work, event: WorkEvent) -> None:
        if self._working is work:
            self._working = None
            self.handle(event)

    def _stop_work(self, assignment: AssignmentId) -> None:
        if self._working is not None and self._working.assignment == assignment:
            self._working = None
            self._host.drop(assignment)
            self.post(WorkStopped(assignment))
