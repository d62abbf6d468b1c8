"""What drives one logic in a simulation, as a pump does in production."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeAlias

from zfed.errors import RunFailedError
from zfed.facts import Fact
from zfed.nodes.coordinator_words import Job, JobResult, SpillJob, SpillResult
from zfed.nodes.logic import Effect, Input, Logic
from zfed.nodes.member_words import Work
from zfed.nodes.words import Finish, FramesArrived, RouteGone, SendFrames, TellFact, TimePassed
from zfed.simulation.fake_disk import FakeDisk, ProcessDied
from zfed.transport.base import Buffer
from zfed.transport.memory import MemoryNetwork, VirtualClock
from zfed.wire.roster import Roster

LINGER_S: Final = 1.0
"""How long what a node sent last may still leave after its end, as with sockets."""

MOST_ALARMS: Final = 10
"""A logic may have several things due at once; one that is never done with them would keep a pump busy."""


WorkSeconds: TypeAlias = Callable[[str, Work], float]
"""Virtual seconds that a node of this name takes for a piece of work."""

JobSeconds: TypeAlias = Callable[["Job | SpillJob"], float]
"""Virtual seconds that the coordinator takes for a job beside its pump."""


@dataclass(frozen=True)
class Told:
    """What a node told, and when; `node` is a node's name or "coordinator"."""

    at: float
    node: str
    fact: Fact


class Watch(Protocol):
    """Sees all that nodes take in and do."""

    def starts(self, node: Driven) -> None:
        """A node has got its logic, and what was on its disk, and is about to begin."""

    def takes(self, node: Driven, event: Input) -> None:
        """A node is about to take an input."""

    def does(self, node: Driven, effect: Effect) -> None:
        """A node is about to perform an effect."""

    def has_done(self, node: Driven, job: Job | SpillJob, result: JobResult | SpillResult | None) -> None:
        """A coordinator has done a job."""

    def has_taken(self, node: Driven) -> None:
        """A node has taken an input and performed what came of it."""


class World(Protocol):
    """What all nodes of a simulation share."""

    clock: VirtualClock
    network: MemoryNetwork
    random: random.Random
    trace: list[Told]
    work_s: WorkSeconds
    job_s: JobSeconds
    watch: Watch | None
    roster: Roster | None
    unready: dict[str, str]

    def disk_of(self, name: str) -> FakeDisk:
        """The disk of a node's machine, as its process sees it now."""

    def died(self, node: Driven) -> None:
        """The process of a node is gone."""


class Driven:
    """Drives one logic as a pump does: inputs in, effects performed, woken in time.

    Args:
        name: Of the node.
        logic: Not started yet.
        world: What it shares with others.

    Attributes:
        finish: How it ended; None if it has not, or died.
        dies_in: If not 0, its process dies before the so-manieth effect from now.
    """

    def __init__(self, name: str, logic: Logic, world: World) -> None:
        self.name = name
        self.logic = logic
        self.finish: Finish | None = None
        self.dies_in = 0
        self.world = world
        self._clock = world.clock
        self._alive = True
        self._frozen = False
        self._backlog: list[Callable[[], None]] = []
        self._wake_at = math.inf
        self._perform: Mapping[type, Callable[[Any], None]] = {}
        self._send: Callable[[bytes, list[Buffer]], bool]
        self._disconnect: Callable[[], None]

    @property
    def is_running(self) -> bool:
        """True unless it has ended or died."""
        return self._alive and self.finish is None

    def start(self) -> None:
        """Perform the first effects."""
        self.run(lambda: self._do(self.logic.start(self._clock.now)))

    def handle(self, event: Input) -> None:
        """Give the logic an input now, unless it is gone."""
        if self._frozen:
            self._backlog.append(lambda: self.handle(event))
            return
        if not self._alive or self.finish is not None:
            return
        watch = self.world.watch
        if watch is None:
            self._do(self.logic.handle(event, self._clock.now))
            return
        watch.takes(self, event)
        self._do(self.logic.handle(event, self._clock.now))
        watch.has_taken(self)

    def post(self, event: Input) -> None:
        """Give the logic an input now, but after what is being done."""
        self._clock.at(self._clock.now, lambda: self.run(lambda: self.handle(event)))

    def receive(self, route: bytes, frames: list[Buffer], key: str = "") -> None:
        """A message has arrived."""
        self.run(lambda: self.handle(FramesArrived(route, frames, key)))

    def run(self, step: Callable[[], None]) -> None:
        """Let the process do something now: once it is not frozen any more, and not if it is gone."""
        if self._frozen:
            self._backlog.append(step)
        elif self._alive:
            try:
                step()
            except ProcessDied:
                self.crash()

    def crash(self) -> None:
        """Be gone, in the middle of whatever is done."""
        if self._alive:
            self._alive = self._frozen = False
            self._backlog.clear()
            self._disconnect()
            self.world.died(self)

    def freeze(self) -> None:
        """Stand still, as with SIGSTOP: what comes waits."""
        self._frozen = self._alive

    def thaw(self) -> None:
        """Go on, with what has come first."""
        self._frozen = False
        backlog, self._backlog = self._backlog, []
        for step in backlog:
            self.run(step)

    def _do(self, effects: list[Effect]) -> None:
        watch = self.world.watch
        for effect in effects:
            if self.dies_in:
                self.dies_in -= 1
                if not self.dies_in:
                    raise ProcessDied("killed between two effects")
            if watch is not None:
                watch.does(self, effect)
            if isinstance(effect, SendFrames):
                if not self._send(effect.route, effect.frames):
                    self.post(RouteGone(effect.route))
            elif isinstance(effect, Finish):
                self._finish(effect)
            elif isinstance(effect, TellFact):
                self._tell(effect.fact)
            else:
                self._perform[type(effect)](effect)
        self._set_alarm()

    def _tell(self, fact: Fact) -> None:
        self.world.trace.append(Told(self._clock.now, self.name, fact))

    def _finish(self, finish: Finish) -> None:
        self.finish = finish
        self._clock.at(self._clock.now + LINGER_S, self.crash)

    def _set_alarm(self) -> None:
        wake = self.logic.next_wake
        if self.finish is None and wake is not None and wake < self._wake_at:
            self._wake_at = wake
            self._clock.at(wake, lambda: self.run(lambda: self._alarm(wake)))

    def _alarm(self, set_for: float) -> None:
        if set_for != self._wake_at:
            return  # another one was set for earlier
        self._wake_at = math.inf
        for _ in range(MOST_ALARMS):
            wake = self.logic.next_wake
            if self.finish is not None or wake is None or wake > self._clock.now:
                self._set_alarm()
                return
            self.handle(TimePassed())
        raise RunFailedError(f"{self.name} wants to be woken at {self._clock.now:g} s again and again")
