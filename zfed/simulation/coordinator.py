"""A simulated coordinator: the logic, numbers and files of the real one."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import Final, get_args

from zfed.checkpoint import RunDirectory
from zfed.config import CoordinatorConfig
from zfed.nodes.aggregation import Aggregation
from zfed.nodes.coordinator import configured_strategy
from zfed.nodes.coordinator_logic import CoordinatorLogic
from zfed.nodes.spill_jobs import SpillJobs
from zfed.nodes.upload_plan import planner_of
from zfed.nodes.words import (
    Finish,
    Job,
    JobResult,
    OpenSpill,
    ReleaseSpill,
    SpillJob,
    SpillResult,
    WriteSpill,
)
from zfed.simulation.driven import Driven, World

COORDINATOR: Final = "coordinator"

FREE_MEMORY: Final = 1 << 40
"""What a simulated machine has; the real one must not change what happens."""


class SimulatedCoordinator(Driven):
    """One start of a coordinator. Its jobs are steps of their own, so that others may fall between them."""

    def __init__(self, config: CoordinatorConfig, directory: RunDirectory, world: World) -> None:
        initial = Path(config.run.initial) if config.run.initial else None
        self.directory = directory
        self.aggregation = Aggregation(directory, configured_strategy(config), initial=initial)
        plan_uploads = planner_of(config, self.aggregation.strategy, FREE_MEMORY)
        restored = self.aggregation.restore()
        self.coordinator = CoordinatorLogic(
            config=config,
            run=directory.run_id,
            plan_uploads=plan_uploads,
            incarnation=directory.next_incarnation(restored.point.version if restored else -1),
            run_key=directory.key,
            restored=restored,
        )
        super().__init__(COORDINATOR, self.coordinator, world)
        listener = world.network.listen(self.receive)
        self._send, self._disconnect = listener.send, listener.close
        self._spills = SpillJobs(directory.path)
        self._numbers = _Thread(self)
        self._spilling = _Thread(self)
        self._perform = {
            **{kind: self._numbers.add for kind in get_args(Job)},
            **{kind: self._spilling.add for kind in get_args(SpillJob)},
        }

    @property
    def jobs(self) -> int:
        """How many wait to be done beside the pump."""
        return len(self._numbers.jobs) + len(self._spilling.jobs)

    def perform(self, job: Job | SpillJob) -> None:
        """Do a job; the logic hears what came of it."""
        result: JobResult | SpillResult | None
        match job:
            case OpenSpill() | WriteSpill() | ReleaseSpill():
                result = self._spills.perform(job)
            case _:
                result = self.aggregation.perform(job)
        if self._world.watch is not None:
            self._world.watch.has_done(self, job, result)
        if result is not None:
            self.post(result)

    def _finish(self, finish: Finish) -> None:
        """As the program does: whatever was ordered is done before it ends."""
        self._numbers.drain()
        self._spilling.drain()
        self.aggregation.finish()
        super()._finish(finish)


class _Thread:
    """Jobs done one after another, each when its virtual time is over."""

    def __init__(self, coordinator: SimulatedCoordinator) -> None:
        self._coordinator = coordinator
        self.jobs: deque[Job | SpillJob] = deque()

    def add(self, job: Job | SpillJob) -> None:
        self.jobs.append(job)
        if len(self.jobs) == 1:
            self._begin()

    def drain(self) -> None:
        while self.jobs:
            self._coordinator.perform(self.jobs.popleft())

    def _begin(self) -> None:
        coordinator, world = self._coordinator, self._coordinator._world
        done_at = world.clock.now + world.job_s(self.jobs[0])
        world.clock.at(done_at, lambda: coordinator.run(self._do))

    def _do(self) -> None:
        if not self.jobs:
            return  # done at the end
        self._coordinator.perform(self.jobs[0])
        self.jobs.popleft()
        if self.jobs:
            self._begin()
