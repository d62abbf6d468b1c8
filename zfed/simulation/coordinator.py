"""A simulated coordinator: the logic, numbers and files of the real one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, get_args

from zfed.checkpoint import RunDirectory
from zfed.config import CoordinatorConfig
from zfed.errors import CheckpointError
from zfed.facts import Fact
from zfed.nodes.aggregation import Aggregation
from zfed.nodes.coordinator_start import started_logic
from zfed.nodes.coordinator_words import (
    DropRoute,
    Job,
    JobResult,
    LineUnwritten,
    OpenSpill,
    ReleaseSpill,
    SpillJob,
    SpillResult,
    WriteSpill,
)
from zfed.nodes.spill_jobs import SpillJobs
from zfed.nodes.strategy_choice import configured_strategy
from zfed.nodes.upload_plan import planner_of
from zfed.nodes.words import Finish
from zfed.simulation.driven import Driven, World
from zfed.telemetry import metrics_record
from zfed.transport.memory import VirtualClock

COORDINATOR: Final = "coordinator"

FREE_MEMORY: Final = 1 << 40
"""What a simulated machine has; the real one must not change what happens."""


class SimulatedCoordinator(Driven):
    """One start of a coordinator. Its jobs are steps of their own, so that others may fall between them."""

    def __init__(self, config: CoordinatorConfig, directory: RunDirectory, world: World) -> None:
        initial = Path(config.run.initial) if config.run.initial else None
        self.directory = directory
        self.aggregation = Aggregation(directory, configured_strategy(config).strategy, initial=initial)
        plan_uploads = planner_of(config, self.aggregation.strategy, FREE_MEMORY)
        self.coordinator = started_logic(config, self.aggregation, plan_uploads, world.roster)
        super().__init__(COORDINATOR, self.coordinator, world)
        listener = world.network.listen(self.receive)
        self._send, self._disconnect = listener.send, listener.close
        self._spills = SpillJobs(directory.path)
        self._numbers = _Thread(self.run, world.clock)
        self._spilling = _Thread(self.run, world.clock)
        self._perform = {
            DropRoute: lambda effect: listener.drop(effect.route),
            **{kind: self._add(self._numbers) for kind in get_args(Job)},
            **{kind: self._add(self._spilling) for kind in get_args(SpillJob)},
        }

    @property
    def jobs(self) -> int:
        """How many wait to be done beside the pump."""
        return len(self._numbers.jobs) + len(self._spilling.jobs)

    def _add(self, thread: _Thread) -> Callable[[Job | SpillJob], None]:
        return lambda job: thread.add(self.world.job_s(job), lambda: self._do_job(job))

    def _do_job(self, job: Job | SpillJob) -> None:
        """Do a job; the logic hears what came of it."""
        result: JobResult | SpillResult | None
        match job:
            case OpenSpill() | WriteSpill() | ReleaseSpill():
                result = self._spills.perform(job)
            case _:
                result = self.aggregation.perform(job)
        if self.world.watch is not None:
            self.world.watch.has_done(self, job, result)
        if result is not None:
            self.post(result)

    def _tell(self, fact: Fact) -> None:
        super()._tell(fact)
        record = metrics_record(fact)
        if record is not None:
            self._numbers.add(0.0, lambda: self._record_metrics(record))

    def _record_metrics(self, record: dict[str, Any]) -> None:
        try:
            self.directory.record_metrics(record)
        except CheckpointError as error:
            self.post(LineUnwritten(str(error)))

    def _finish(self, finish: Finish) -> None:
        """As the program does: whatever was ordered is done before it ends."""
        self._numbers.drain()
        self._spilling.drain()
        self.aggregation.finish()
        super()._finish(finish)


class _Thread:
    """Jobs done one after another, each when its virtual time is over."""

    def __init__(self, run: Callable[[Callable[[], None]], None], clock: VirtualClock) -> None:
        self._run = run
        self._clock = clock
        self.jobs: deque[tuple[float, Callable[[], None]]] = deque()

    def add(self, seconds: float, job: Callable[[], None]) -> None:
        self.jobs.append((seconds, job))
        if len(self.jobs) == 1:
            self._begin()

    def drain(self) -> None:
        while self.jobs:
            self.jobs.popleft()[1]()

    def _begin(self) -> None:
        self._clock.at(self._clock.now + self.jobs[0][0], lambda: self._run(self._do))

    def _do(self) -> None:
        if not self.jobs:
            return  # done at the end
        self.jobs[0][1]()
        self.jobs.popleft()
        if self.jobs:
            self._begin()
