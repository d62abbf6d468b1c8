"""One schedule, from its first start to its end, under the eyes of the invariants."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from zfed.checkpoint import RunDirectory
from zfed.checkpoint.run_files import RunFiles
from zfed.errors import RunFailedError
from zfed.facts import RoundCommitted, StateNoted
from zfed.nodes.coordinator_words import Job, SpillJob
from zfed.simulation.coordinator import COORDINATOR
from zfed.simulation.driven import Told
from zfed.simulation.fake_disk import FakeDisk
from zfed.simulation.faults import Faults
from zfed.simulation.invariants import BrokenPromise, Invariants
from zfed.simulation.schedule import EVALUATOR, Schedule
from zfed.simulation.story import Story
from zfed.simulation.tally import Tally
from zfed.simulation.world import Simulation

RUN: Final = Path("/runs/fuzzed")


@dataclass(frozen=True)
class Outcome:
    """What came of a schedule in which no promise was broken.

    Attributes:
        model: The bytes of the last version; empty if, in all the trouble, nobody gave a first model in time.
        cohorts: Who counted in each version from 1 on.
        trace: Everything that was told.
        faults: What befell, by kind.
        recovery_s: Virtual seconds from the last fault's end until a version was committed or the run ended.
        seconds: Virtual seconds in all.
    """

    model: bytes
    cohorts: tuple[tuple[str, ...], ...]
    trace: list[Told]
    faults: Counter[str]
    recovery_s: float
    seconds: float

    @property
    def rounds(self) -> int:
        """How many versions were committed after the first."""
        return len(self.cohorts)

    @property
    def digest(self) -> str:
        """Of all that was told and when, and of the model: the same seed gives the same."""
        return hashlib.sha256(repr(self.trace).encode() + self.model).hexdigest()


def perform(schedule: Schedule, write: Callable[[str], None] | None = None) -> Outcome:
    """Run a schedule.

    Args:
        schedule: What is to happen.
        write: Takes what happens, line by line; None: nobody wants to know.

    Raises:
        BrokenPromise: If an invariant does not hold, or the run does not end in time, or as it should.
    """
    simulation = Simulation(seed=schedule.seed)
    simulation.work_s = lambda node, work: simulation.random.uniform(*schedule.work_s)
    simulation.job_s = partial(_job_s, simulation, schedule)
    invariants = Invariants(schedule)
    simulation.watch = invariants if write is None else Story(simulation, write, invariants)
    faults = Faults(schedule, simulation)
    for name, examples in schedule.examples.items():
        simulation.add(name, partial(Tally, examples, schedule.stateful, *_spoilt(schedule, name)))
    if schedule.evaluated:
        simulation.add(EVALUATOR, partial(Tally, 1, False), kind="evaluator")
    simulation.host(schedule.config, partial(_open_run, simulation))
    try:
        ended = simulation.wait(until=schedule.end_by)
    except RunFailedError as error:
        raise BrokenPromise(str(error)) from error
    newest = max(invariants.versions, default=0)
    never_began = bool(faults.befell) and not invariants.versions
    if ended.finish.status != "completed" and not never_began:
        raise BrokenPromise(f"the run has {ended.finish.status}: {ended.finish.reason}")
    if newest != schedule.config.run.rounds and not never_began:
        raise BrokenPromise(f"the run has completed {newest} of {schedule.config.run.rounds} rounds")
    if not faults.befell["full disk"]:  # hints are not written then
        invariants.ended(simulation.disk_of(COORDINATOR), RunFiles(RUN))
    committed = [told.at for told in simulation.trace if isinstance(told.fact, RoundCommitted)]
    first = next((at for at in committed if at >= schedule.peace_at), simulation.clock.now)
    return Outcome(
        model=b"" if never_began else invariants.versions[newest].bytes,
        cohorts=tuple(invariants.versions[version].workers for version in range(1, newest + 1)),
        trace=simulation.trace,
        faults=faults.befell,
        recovery_s=max(0.0, first - schedule.peace_at),
        seconds=simulation.clock.now,
    )


def perform_twice(schedule: Schedule, outcome: Outcome) -> None:
    """Run a schedule again.

    Raises:
        BrokenPromise: If not the same comes of it, to the bit.
    """
    again = perform(schedule)
    if again.digest != outcome.digest:
        pairs = enumerate(zip(outcome.trace, again.trace, strict=False))
        differing = next((f"{one} and {other}" for _, (one, other) in pairs if one != other), "their ends")
        raise BrokenPromise(f"the same seed gave two different runs: first differ {differing}")


def perform_undisturbed(schedule: Schedule, outcome: Outcome) -> None:
    """Run a schedule without its faults, if then the same model is promised: all cohorts answered.

    Raises:
        BrokenPromise: If it ends with another model.
    """
    run = schedule.config.run
    everybody = tuple(sorted(schedule.examples))
    noted = any(isinstance(told.fact, StateNoted) for told in outcome.trace)
    waits_for_all = schedule.config.schedule.kind == "sync"
    if (
        not waits_for_all
        or run.accumulator != "exact"
        or noted
        or any(cohort != everybody for cohort in outcome.cohorts)
    ):
        return
    everybody_first = replace(run, wait_for=str(len(everybody)), min_workers=len(everybody))
    undisturbed = replace(
        schedule.without(range(len(schedule.faults))), config=replace(schedule.config, run=everybody_first)
    )
    if perform(undisturbed).model != outcome.model:
        raise BrokenPromise("all cohorts answered, and yet the model is not that of the undisturbed run")


def _spoilt(schedule: Schedule, worker: str) -> tuple[frozenset[int], float]:
    """Of which rounds a worker's updates are no good, and what stands in them."""
    spoilt = schedule.spoilt
    if spoilt is None or spoilt.worker != worker:
        return frozenset(), 0.0
    return spoilt.rounds, spoilt.value


def _job_s(simulation: Simulation, schedule: Schedule, job: Job | SpillJob) -> float:
    return simulation.random.uniform(0.0, schedule.job_s) if schedule.job_s else 0.0


def _open_run(simulation: Simulation, disk: FakeDisk) -> RunDirectory:
    """As the program does: a folder that holds a run is resumed."""
    clock = simulation.wall_clock
    if RunDirectory.holds_run(RUN, disk=disk):
        return RunDirectory.resume(RUN, disk=disk, wall_clock=clock)
    key = f"{simulation.random.getrandbits(128):032x}"  # as members keep their files under it
    return RunDirectory.create(RUN.parent, RUN.name, "", key=key, disk=disk, wall_clock=clock)
