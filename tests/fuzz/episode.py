"""One simulated run on a hostile network, and what its nodes did with each forged message.

The logics, their numbers, tasks and files are the real ones; only wires, clock and disk are simulated. So a
message that ends a node here would end it anywhere.
"""

from __future__ import annotations

import random
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Final, Literal

from tests.fuzz import file_names
from tests.fuzz.at_the_door import ask_for_keys, enrolled, revoke_now_and_then
from tests.fuzz.hostile_network import HostileNetwork
from tests.fuzz.onlookers import Onlookers
from zfed.checkpoint import RunDirectory
from zfed.config import LimitsConfig
from zfed.facts import Disconnected, NodeRefused, RoundCommitted
from zfed.nodes.coordinator_words import EnrolNode, Job, JobFailed, JobResult, SpillJob, SpillResult
from zfed.nodes.logic import Effect, Input
from zfed.nodes.words import Finish, FramesArrived, SendFrames, TellFact
from zfed.simulation.coordinator import COORDINATOR
from zfed.simulation.driven import Driven
from zfed.simulation.fake_disk import FakeDisk
from zfed.simulation.schedule import EVALUATOR, Schedule, draw_schedule
from zfed.simulation.tally import Tally
from zfed.simulation.world import Simulation
from zfed.transport.memory import LinkFaults
from zfed.wire.codec import decode
from zfed.wire.messages import Refused

QUOTA: Final = 2000
"""Forged messages of one run: enough for many rounds, few enough to see it again in seconds."""

WIDE: Final = LimitsConfig(messages=10**9, sessions=10**9, unasked="1024GiB")
"""Limits that let forged messages get to where they may do harm."""

LONGEST_S: Final = 100_000.0
"""Virtual seconds after which a run is given up in which nothing happens any more."""

RECOVERY_S: Final = 600.0
"""Virtual seconds in which a run has to go on once nobody forges any more."""

Outcome = Literal["malformed", "refused", "heeded", "ignored"]


class BrokenByMessage(Exception):
    """A message did what no message may do."""


@dataclass
class Outcomes:
    """What became of forged messages.

    Attributes:
        counts: How many were dropped as malformed, answered by REFUSED, heeded in another way, or ignored;
            by who took them.
        rounds: How many rounds were completed between them.
        ends: How many runs had which end.
        slowest_s: Most CPU time that one took.
    """

    counts: Counter[tuple[str, Outcome]] = field(default_factory=Counter)
    rounds: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    slowest_s: float = 0.0

    @property
    def messages(self) -> int:
        """How many forged messages were taken by anybody."""
        return self.counts.total()


class _Look:
    """Watches a simulation: which input is forged, and what comes of it."""

    def __init__(self, network: HostileNetwork, outcomes: Outcomes) -> None:
        self._network = network
        self._outcomes = outcomes
        self._onlookers: dict[str, Onlookers] = defaultdict(Onlookers)
        self._forged = False
        self._outcome: Outcome = "ignored"
        self._began = 0.0

    def starts(self, node: Driven) -> None:
        """As `Watch.starts`."""
        if node.name == COORDINATOR:
            node._perform = {**node._perform, EnrolNode: lambda asked: node.post(enrolled(asked))}

    def takes(self, node: Driven, event: Input) -> None:
        """As `Watch.takes`."""
        self._outcome = "ignored"
        self._forged = isinstance(event, FramesArrived) and self._network.is_forged(event.frames)
        self._began = time.process_time()

    def does(self, node: Driven, effect: Effect) -> None:
        """As `Watch.does`."""
        if isinstance(effect, TellFact):
            self._outcomes.rounds += isinstance(effect.fact, RoundCommitted)
            self._onlookers[node.name](effect.fact)
        if not self._forged:
            return
        match effect:
            case TellFact(NodeRefused(code="malformed") | Disconnected(reason=_)) if (
                self._outcome == "ignored"
            ):
                self._outcome = "malformed"
            case SendFrames(_, frames) if isinstance(decode(frames, sender=_side(node)).message, Refused):
                self._outcome = "refused"
            case _:
                if self._outcome != "refused":
                    self._outcome = "heeded"

    def has_done(self, node: Driven, job: Job | SpillJob, result: JobResult | SpillResult | None) -> None:
        """As `Watch.has_done`."""
        if isinstance(result, JobFailed):
            raise BrokenByMessage(f"a job of the coordinator failed: {result.reason}")

    def has_taken(self, node: Driven) -> None:
        """As `Watch.has_taken`."""
        if self._forged:
            side = "coordinator" if node.name == COORDINATOR else "member"
            self._outcomes.counts[side, self._outcome] += 1
            self._outcomes.slowest_s = max(self._outcomes.slowest_s, time.process_time() - self._began)
            self._forged = False


def perform(seed: int, outcomes: Outcomes, *, quota: int = QUOTA) -> None:
    """Run one simulation until `quota` forged messages were taken; all in it follows from the seed.

    Raises:
        BrokenByMessage: If a message broke something that raises nothing.
        Exception: Whatever a node raised: none of it is allowed.
    """
    draw, schedule = random.Random(f"messages:{seed}"), draw_schedule(seed)
    simulation = Simulation(seed=seed)
    simulation.network = network = _hostile_network(simulation, schedule, draw)
    simulation.work_s = lambda node, work: simulation.random.uniform(*schedule.work_s)
    simulation.watch = _Look(network, outcomes)
    simulation.when_gone = partial(_start_again, simulation)
    if schedule.keyed:
        ask_for_keys(simulation, schedule.nodes)
        revoke_now_and_then(simulation, schedule.nodes, draw)
    _start(simulation, schedule, draw.choice((LimitsConfig(), WIDE, WIDE, WIDE)))
    enough = outcomes.messages + quota
    while outcomes.messages < enough and simulation.finish_of(COORDINATOR) is None:
        if not simulation.clock.step(LONGEST_S):
            break
    if schedule.keyed:
        ask_for_keys(simulation, schedule.nodes)
    _see_it_go_on(simulation, network, outcomes)
    finish = simulation.finish_of(COORDINATOR)
    outcomes.ends["went on" if finish is None else f"{finish.status}: {finish.reason:.100}"] += 1


def _hostile_network(simulation: Simulation, schedule: Schedule, draw: random.Random) -> HostileNetwork:
    faults = LinkFaults(
        delay_s=schedule.calm.delay_s,
        loss=draw.choice((0.0, 0.0, 0.02)),
        duplication=draw.choice((0.0, 0.0, 0.1)),
        reordering=draw.choice((0.0, 0.0, 0.1)),
    )
    return HostileNetwork(simulation.clock, draw, faults, per_message=draw.choice((0.3, 1.0, 3.0, 8.0)))


def _start(simulation: Simulation, schedule: Schedule, limits: LimitsConfig) -> None:
    """Start all nodes of a run that goes on until it is stopped."""
    for name in (*schedule.nodes, COORDINATOR):
        simulation.disk_of(name).watch = _look_at_names
    for name, examples in schedule.examples.items():
        simulation.add(name, partial(Tally, examples, schedule.stateful))
    if schedule.evaluated:
        simulation.add(EVALUATOR, partial(Tally, 1, False), kind="evaluator")
    run = replace(schedule.config.run, rounds=10**9)
    simulation.host(replace(schedule.config, run=run, limits=limits), partial(_open_run, simulation))


def _look_at_names(call: str) -> None:
    if not file_names.is_expected(call):
        raise BrokenByMessage(f"a node called its disk: {call}")


def _see_it_go_on(simulation: Simulation, network: HostileNetwork, outcomes: Outcomes) -> None:
    """Nobody forges any more, and all nodes but the coordinator are started anew: it completes a round.

    A member must not outlive what was said in its coordinator's name: that it does as it is told is its task.
    """
    network.per_message, network.faults = 0.0, LinkFaults()
    for name in simulation.names:
        if name != COORDINATOR:
            simulation.crash(name)
            simulation.restart(name)
    until, rounds = simulation.clock.now + RECOVERY_S, outcomes.rounds
    while outcomes.rounds == rounds and simulation.finish_of(COORDINATOR) is None:
        if not simulation.clock.step(until):
            raise BrokenByMessage(f"no round was completed in {RECOVERY_S:g} s after the last forged message")


def _start_again(simulation: Simulation, node: str, finish: Finish | None) -> None:
    """Somebody starts a node again that was told to end."""

    def start() -> None:
        if not simulation.is_running(node):
            simulation.restart(node)

    if node != COORDINATOR:
        simulation.at(simulation.clock.now + 1.0, start)


def _open_run(simulation: Simulation, disk: FakeDisk) -> RunDirectory:
    path = Path("/runs/fuzzed")
    clock = simulation.wall_clock
    return RunDirectory.create(path.parent, path.name, "", key="0" * 32, disk=disk, wall_clock=clock)


def _side(node: Driven) -> Literal["node", "coordinator"]:
    return "coordinator" if node.name == COORDINATOR else "node"
