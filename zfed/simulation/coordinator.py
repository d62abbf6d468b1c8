"""A simulated coordinator: the logic, numbers and files of the real one."""

from __future__ import annotations

from pathlib import Path
from typing import Final, get_args

from zfed.checkpoint import RunDirectory
from zfed.config import CoordinatorConfig
from zfed.nodes.aggregation import Aggregation
from zfed.nodes.coordinator import configured_strategy
from zfed.nodes.coordinator_logic import CoordinatorLogic
from zfed.nodes.spill_jobs import SpillJobs
from zfed.nodes.upload_plan import planner_of
from zfed.nodes.words import Job, SpillJob
from zfed.simulation.driven import Driven, Told
from zfed.transport.memory import MemoryNetwork, VirtualClock

COORDINATOR: Final = "coordinator"

FREE_MEMORY: Final = 1 << 40
"""What a simulated machine has; the real one must not change what happens."""


class SimulatedCoordinator(Driven):
    """A coordinator with its numbers and files; jobs take no virtual time."""

    def __init__(
        self,
        config: CoordinatorConfig,
        directory: RunDirectory,
        clock: VirtualClock,
        network: MemoryNetwork,
        trace: list[Told],
    ) -> None:
        initial = Path(config.run.initial) if config.run.initial else None
        self.aggregation = Aggregation(directory, configured_strategy(config), initial=initial)
        plan_uploads = planner_of(config, self.aggregation.strategy, FREE_MEMORY)
        logic = CoordinatorLogic(config, directory.run_id, plan_uploads, directory.next_incarnation())
        super().__init__(COORDINATOR, logic, clock, trace)
        listener = network.listen(self.receive)
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
