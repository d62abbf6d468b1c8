"""A simulated worker or evaluator: the logic and the task host of the real one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from zfed.nodes.introduction import introduction
from zfed.nodes.member_logic import MemberLogic
from zfed.nodes.member_words import (
    Connect,
    Disconnect,
    DropState,
    EnterRun,
    KeepState,
    RenameState,
    SaveAgain,
    SettleState,
    StartWork,
    StopWork,
    Work,
    WorkDone,
    WorkNote,
    WorkProgress,
    WorkStopped,
)
from zfed.nodes.owner_limits import OwnerLimits
from zfed.nodes.state_folder import StateFolder
from zfed.nodes.task_host import TaskHost, WorkEvent
from zfed.partition import Partition
from zfed.simulation.driven import Driven, World
from zfed.task import NodeKind, Setup, Task
from zfed.wire.messages import AssignmentId


@dataclass(frozen=True)
class MemberPlan:
    """What every start of one node has in common; see `Simulation.add`."""

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
    limits: OwnerLimits
    tags: tuple[str, ...]
    root_examples: int


class SimulatedMember(Driven):
    """One start of a worker or evaluator: its logic, its task, its end of the network."""

    def __init__(self, plan: MemberPlan, world: World) -> None:
        self._host = TaskHost(
            plan.task(),
            Setup(node=plan.name, kind=plan.kind, partition=plan.partition, root_examples=plan.root_examples),
            clock=lambda: world.clock.now,
            folder=StateFolder(Path("/state") / plan.name, disk=world.disk_of(plan.name)),
            limits=plan.limits,
        )
        prepared = self._host.prepare()
        hello = introduction(
            node=plan.name,
            kind=plan.kind,
            instance=f"{world.random.getrandbits(128):032x}",
            partition=plan.partition,
            prepared=prepared,
            compress=plan.compress,
            compress_model=plan.compress_model,
            tags=plan.tags,
            unready=world.unready.get(plan.name, ""),
        )
        self.member = MemberLogic(
            hello=hello,
            layout=prepared.layout,
            addresses=("memory",),
            connect_timeout_s=plan.connect_timeout_s,
            stay=plan.stay,
            limit_up=plan.limit_up,
            limit_down=plan.limit_down,
            jitter=lambda: world.random.uniform(0.5, 1.5),
        )
        super().__init__(plan.name, self.member, world)
        connector = world.network.connector(plan.name, self.receive)
        self._send, self._disconnect = connector.send, connector.disconnect
        self._working: Work | None = None
        self._perform = {
            Connect: lambda effect: connector.open(),
            Disconnect: lambda effect: connector.disconnect(),
            StartWork: lambda effect: self._begin(effect.work),
            StopWork: lambda effect: self._stop_work(effect.assignment),
            SaveAgain: lambda effect: self._host.save_again(effect.assignment, self.post),
            EnterRun: lambda effect: self._host.enter(effect.key),
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
            if isinstance(event, (WorkProgress, WorkNote)):
                self.post(event)
        took_s, result = self.world.work_s(self.name, work), events[-1]
        if isinstance(result, WorkDone):
            result = replace(result, seconds=took_s)
        done_at = self._clock.now + took_s
        self._clock.at(done_at, lambda: self.run(lambda: self._end(work, result)))

    def _end(self, work: Work, event: WorkEvent) -> None:
        if self._working is work:
            self._working = None
            self.handle(event)

    def _stop_work(self, assignment: AssignmentId) -> None:
        if self._working is not None and self._working.assignment == assignment:
            self._working = None
            self._host.drop(assignment)
            self.post(WorkStopped(assignment))
