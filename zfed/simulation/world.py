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
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from zfed.checkpoint import RunDirectory
from zfed.config import CoordinatorConfig
from zfed.errors import RunFailedError
from zfed.facts import Fact
from zfed.nodes.words import Finish, StopRequested
from zfed.params import ParameterBuffer
from zfed.partition import Partition
from zfed.simulation.coordinator import COORDINATOR, SimulatedCoordinator
from zfed.simulation.driven import Told
from zfed.simulation.member import MemberPlan, SimulatedMember, WorkSeconds
from zfed.task import NodeKind, Task
from zfed.transport.memory import LinkFaults, MemoryNetwork, VirtualClock


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
        self._nodes: dict[str, SimulatedMember] = {}
        self._plans: dict[str, MemberPlan] = {}

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
        self._plans[name] = MemberPlan(
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
        self._nodes[node] = SimulatedMember(
            self._plans[node],
            self.clock,
            self.network,
            self.trace,
            self.random,
            lambda name, work: self.work_s(name, work),  # whatever it is by then
        )
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
        coordinator = SimulatedCoordinator(config, directory, self.clock, self.network, self.trace)
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
