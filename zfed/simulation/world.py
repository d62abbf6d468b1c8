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
from typing import Any, Final

from zfed.checkpoint import RunDirectory
from zfed.config import CoordinatorConfig
from zfed.errors import CheckpointError, RunFailedError
from zfed.facts import Fact
from zfed.nodes.coordinator_words import RosterChanged
from zfed.nodes.member_words import ReadinessSaid
from zfed.nodes.owner_limits import OwnerLimits
from zfed.nodes.words import Finish, StopRequested
from zfed.params import ParameterBuffer
from zfed.partition import Partition
from zfed.simulation.coordinator import COORDINATOR, SimulatedCoordinator
from zfed.simulation.driven import Driven, JobSeconds, Told, Watch, WorkSeconds
from zfed.simulation.fake_disk import FakeDisk, ProcessDied
from zfed.simulation.member import MemberPlan, SimulatedMember
from zfed.task import NodeKind, Task
from zfed.transport.memory import LinkFaults, MemoryNetwork, VirtualClock
from zfed.wire.roster import Roster

FIRST_WALL_CLOCK_S: Final = 1.8e9


@dataclass(frozen=True)
class SimulatedEnd:
    """How a simulated run ended; `model` is its last version, if it had any."""

    finish: Finish
    model: ParameterBuffer | None


class Simulation:
    """One coordinator at a time, and many nodes, under one virtual clock.

    Args:
        seed: Of the network, back-off times, the instance numbers of nodes and what power cuts leave.
        faults: How bad all links are; change `network.faults` to make them better or worse.
        work_s: How long tasks take.
        job_s: How long the coordinator's jobs beside its pump take.

    Attributes:
        clock: The time of all nodes.
        network: What connects them.
        trace: Everything that was told, in order.
        watch: Sees all that nodes take in and do.
        when_gone: Is told the name of each node that is gone, and how it ended; None if it died.
        wall_offset_s: How wrong the clocks on all walls are.
        roster: Whose keys the coordinator knows, a node's being its name; None: keys are not asked for.
        unready: Why a node, by its name, cannot work now; see `tell_readiness`.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        faults: LinkFaults | None = None,
        work_s: WorkSeconds = lambda node, work: 1.0,
        job_s: JobSeconds = lambda job: 0.0,
    ) -> None:
        self.clock = VirtualClock()
        self.network = MemoryNetwork(self.clock, seed=seed, faults=faults)
        self.trace: list[Told] = []
        self.work_s = work_s
        self.job_s = job_s
        self.random = random.Random(f"nodes:{seed}")
        self.watch: Watch | None = None
        self.when_gone: Callable[[str, Finish | None], None] = lambda name, finish: None
        self.wall_offset_s = 0.0
        self.roster: Roster | None = None
        self.unready: dict[str, str] = {}
        self._starts: dict[str, Callable[[], Driven]] = {}
        self._nodes: dict[str, Driven] = {}
        self._disks: dict[str, FakeDisk] = {}
        self._without_power: set[str] = set()
        self._coordinator: SimulatedCoordinator | None = None

    # ---- nodes ----------------------------------------------------------------------------------

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
        limits: OwnerLimits | None = None,
        tags: tuple[str, ...] = (),
        root_examples: int = 0,
    ) -> None:
        """Start a node now. Each of its starts makes a task of its own.

        Two nodes may have one name; `crash`, `restart` and `stop` then mean the one started last.
        """
        plan = MemberPlan(
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
            limits or OwnerLimits(),
            tags,
            root_examples,
        )
        if self.is_running(name):
            self._disks.pop(name, None)  # the second of a name is on another machine
        self._starts[name] = lambda: SimulatedMember(plan, self)
        self.restart(name)

    def host(self, config: CoordinatorConfig, open_run: Callable[[FakeDisk], RunDirectory]) -> None:
        """Start a coordinator now.

        Args:
            config: Its configuration.
            open_run: Makes or resumes its run directory, at each of its starts.
        """

        def start() -> Driven:
            directory = open_run(self.disk_of(COORDINATOR))
            self._coordinator = SimulatedCoordinator(config, directory, self)
            return self._coordinator

        self._starts[COORDINATOR] = start
        self.restart(COORDINATOR)

    def enrol(self, roster: Roster) -> None:
        """From now on the coordinator knows these keys."""
        self.roster = roster
        if self.is_running(COORDINATOR):
            self._nodes[COORDINATOR].post(RosterChanged(roster))

    def tell_readiness(self, name: str, unready: str) -> None:
        """From now on a node cannot work, and says why; empty: it can. Restarts do not change that."""
        self.unready[name] = unready
        if self.is_running(name):
            self._nodes[name].post(ReadinessSaid(unready))

    def restart(self, name: str) -> None:
        """Start a node (again), with nothing but what is on its disk."""
        self._nodes.pop(name, None)
        try:
            node = self._nodes[name] = self._starts[name]()
        except ProcessDied:
            self._gone(name, None)
            return
        except CheckpointError as error:
            self._gone(name, Finish("failed", str(error)))
            return
        if self.watch is not None:
            self.watch.starts(node)
        node.start()

    def crash(self, name: str, *, power_cut: bool = False) -> None:
        """The node is gone in this instant, if it was there; its connections break.

        With `power_cut` its disk forgets what was not synced, or tears it.
        """
        if name in self._nodes:
            if power_cut:
                self._without_power.add(name)
            self._nodes[name].crash()

    def doom(self, name: str, *, effects: int = 0, disk_calls: int = 0, power_cut: bool = False) -> None:
        """The node will die before the so-manieth effect from now, or at such a point of its disk calls."""
        if power_cut:
            self._without_power.add(name)
        self._nodes[name].dies_in = effects
        self.disk_of(name).dies_in = disk_calls

    def spare(self, name: str) -> None:
        """The node will not die, whatever it was doomed to."""
        self._without_power.discard(name)
        self.disk_of(name).dies_in = 0
        if name in self._nodes:
            self._nodes[name].dies_in = 0

    def freeze(self, name: str) -> None:
        """The node's process, if it is there, stands still; what comes to it waits."""
        if name in self._nodes:
            self._nodes[name].freeze()

    def thaw(self, name: str) -> None:
        """The node's process goes on, if it still is there."""
        if name in self._nodes:
            self._nodes[name].thaw()

    def stop(self, name: str, reason: str = "asked to stop") -> None:
        """Ask the node to stop, as Ctrl-C does."""
        self._nodes[name].handle(StopRequested(reason))

    @property
    def names(self) -> tuple[str, ...]:
        """All that were ever started."""
        return tuple(self._starts)

    def is_running(self, name: str) -> bool:
        """True if the node was started and has neither ended nor died."""
        return name in self._nodes and self._nodes[name].is_running

    def finish_of(self, name: str) -> Finish | None:
        """How the node's last start ended; None if it has not ended, or died."""
        return self._nodes[name].finish if name in self._nodes else None

    def disk_of(self, name: str) -> FakeDisk:
        """The disk of a node's machine, as its process sees it now."""
        return self._disks.setdefault(name, FakeDisk())

    def wall_clock(self) -> float:
        """What the clocks on all walls show, in seconds since 1970."""
        return FIRST_WALL_CLOCK_S + self.clock.now + self.wall_offset_s

    def died(self, node: Driven) -> None:
        """The process of a node is gone."""
        if self._nodes.get(node.name) is node:
            if node.finish is None:
                del self._nodes[node.name]
            self._gone(node.name, node.finish)

    def _gone(self, name: str, finish: Finish | None) -> None:
        disk = self.disk_of(name)
        without_power = finish is None and name in self._without_power
        self._without_power.discard(name)
        self._disks[name] = disk.after_power_cut(self.random) if without_power else disk.after_kill()
        self.when_gone(name, finish)

    # ---- time -----------------------------------------------------------------------------------

    def at(self, time: float, call: Callable[[], None]) -> None:
        """Do something, for instance crash a node, when it is `time`."""
        self.clock.at(time, call)

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
        self.host(config, lambda disk: directory)
        return self.wait(until=until)

    def wait(self, *, until: float = math.inf) -> SimulatedEnd:
        """Let time pass until the coordinator, one of its starts, has ended.

        Raises:
            RunFailedError: If it has not ended by `until`.
        """
        while self._coordinator is None or self._coordinator.finish is None:
            if not self.clock.step(until):
                raise RunFailedError(f"the run has not ended at {self.clock.now:g} s, and nothing moves it")
        self._coordinator.crash()  # at once: the next coordinator listens at the same place
        return SimulatedEnd(self._coordinator.finish, self._coordinator.aggregation.model)

    def settle(self, *, until: float) -> None:
        """Let time pass up to `until`, for instance for nodes to notice that the coordinator is gone."""
        while self.clock.step(until):
            pass

    def told(self, fact: type[Fact], node: str = COORDINATOR) -> list[Any]:
        """The facts of one type that a node told, oldest first."""
        return [told.fact for told in self.trace if told.node == node and type(told.fact) is fact]
