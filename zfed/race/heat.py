"""One run of a race: a simulated fleet, and what is known of its course."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from zfed.checkpoint import RunDirectory
from zfed.errors import RunFailedError, TaskError
from zfed.facts import Evaluated, Fact, NodeJoined, RoundCommitted, TaskFailed
from zfed.nodes.member_words import Work
from zfed.nodes.strategy_choice import configured_strategy
from zfed.partition import Partition
from zfed.race.course import Course, Point
from zfed.race.plan import Entrant, RacePlan
from zfed.race.training_time import evaluate_s, train_s
from zfed.simulation import COORDINATOR, Simulation
from zfed.simulation.fake_disk import FakeDisk
from zfed.simulation.profiles import Device, draw_absences
from zfed.task import Task
from zfed.telemetry.sentences import FEDERATED
from zfed.transport.memory_link import Lane, NodeLink

EVALUATOR: Final = "evaluator"
"""Evaluates in no time, over a link that carries anything in no time: it costs nobody anything."""

ROOT_EXAMPLES: Final = 100
"""What the evaluator trains on where the strategy wants that: as many as in FLTrust's paper."""

VARIATION: Final = 0.1
"""By so much, as a share, a device's speed differs from one piece of work to the next, either way."""


class Heat:
    """One schedule's run. What is random of devices is the same in all heats of a race.

    Args:
        plan: What races.
        entrant: Under which schedule.
        fleet: The workers' devices.
        tasks: The workers' tasks, and the evaluator's as the last.

    Attributes:
        course: How far it is.
    """

    def __init__(
        self, plan: RacePlan, entrant: Entrant, fleet: Sequence[Device], tasks: Sequence[Task]
    ) -> None:
        self.course = Course(entrant.label)
        self._plan = plan
        self._seed = plan.config.run.seed
        self._devices: Mapping[str, Device] = dict(zip(plan.names, fleet, strict=True))
        self._speeds = {name: random.Random(f"speed:{self._seed}:{name}") for name in plan.names}
        self._examples: dict[str, int] = {}
        self._begun = 0
        self._took_part: set[str] = set()
        self._committed: dict[int, Point] = {}
        self._simulation = Simulation(seed=self._seed, work_s=self._work_s)
        self._simulation.host(entrant.config, self._open_run)  # first, so that nobody looks for it in vain
        for place, (name, task) in enumerate(zip((*plan.names, EVALUATOR), tasks, strict=True)):
            if name == EVALUATOR:
                root = ROOT_EXAMPLES if configured_strategy(entrant.config).strategy.needs.root else 0
                self._simulation.add(name, partial(_same, task), kind="evaluator", root_examples=root)
            else:
                self._link(name)
                part = Partition.parse(spec=plan.part_of(place), seed=self._seed)
                self._simulation.add(name, partial(_same, task), partition=part)

    def step(self) -> bool:
        """Let the next thing happen; True if the course has changed, or ended.

        Raises:
            TaskError: If a task has raised.
            RunFailedError: If the run has failed.
        """
        if not self._simulation.clock.step(self._plan.until_s):
            self.course.now_s, self.course.ending = self._plan.until_s, "out of time"
            return True
        if self._begun > self._plan.most_work * self._plan.workers:
            self.course.now_s, self.course.ending = self._simulation.clock.now, "given up"
            return True
        if not self._simulation.trace:
            return False
        self.course.now_s = self._simulation.clock.now
        for told in self._simulation.trace:
            if told.node == COORDINATOR:
                self._take(told.fact)
            elif isinstance(told.fact, TaskFailed):
                raise TaskError(f"{self.course.label}: {told.node}: {told.fact.work}: {told.fact.error}")
        self._simulation.trace.clear()  # a long race tells millions of facts
        ended = self._simulation.finish_of(COORDINATOR)
        if ended is not None:
            raise RunFailedError(f"{self.course.label}: the run has {ended.status}: {ended.reason}")
        return True

    def _take(self, fact: Fact) -> None:
        match fact:
            case NodeJoined():
                self._examples[fact.node] = fact.examples
            case RoundCommitted():
                self._commit(fact)
            case Evaluated(subject=subject) if subject == FEDERATED:
                self._evaluated(fact)

    def _commit(self, fact: RoundCommitted) -> None:
        course, links = self.course, self._simulation.network.links.values()
        course.staleness.update(fact.per_worker[worker].staleness for worker in fact.workers)
        self._took_part.update(fact.workers)
        course.newest = self._committed[fact.round] = Point(
            at_s=course.now_s,
            version=fact.version,
            updates=course.newest.updates + len(fact.workers),
            workers=len(self._took_part),
            begun=self._begun,
            carried_bytes=sum(link.up.carried + link.down.carried for link in links),
        )

    def _evaluated(self, fact: Evaluated) -> None:
        accuracy = fact.metrics.get("accuracy")
        if not isinstance(accuracy, (int, float)):
            raise TaskError(f"task {self._plan.task} reports no accuracy, so there is nothing to race for")
        self.course.evaluated(replace(self._committed[fact.round], accuracy=accuracy), self._plan.target)

    def _work_s(self, node: str, work: Work) -> float:
        if node == EVALUATOR or work.kind == "initialize":
            return 0.0
        device, examples = self._devices[node], self._examples[node]
        if work.kind == "evaluate":
            return evaluate_s(device, examples)
        self._begun += 1
        varied = self._speeds[node].uniform(1 - VARIATION, 1 + VARIATION)
        return varied * train_s(device, work.settings, examples)

    def _link(self, name: str) -> None:
        device, network = self._devices[name], self._simulation.network
        network.links[name] = NodeLink(Lane(device.up), Lane(device.down), delay_s=device.delay_s)
        absences = draw_absences(device, random.Random(f"away:{self._seed}:{name}"), self._plan.until_s)
        for away_at, back_at in absences:
            self._simulation.at(away_at, partial(network.isolate, name))
            self._simulation.at(back_at, partial(network.reconnect, name))

    def _open_run(self, disk: FakeDisk) -> RunDirectory:
        """In memory, gone with the simulation; its key is in paths, which must not differ between runs."""
        clock = self._simulation.wall_clock
        return RunDirectory.create(Path("/runs"), "race", "", key=f"{0:032x}", disk=disk, wall_clock=clock)


def _same(task: Task) -> Task:
    return task
