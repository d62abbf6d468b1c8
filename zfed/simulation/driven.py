"""What drives one logic in a simulation, as a pump does in production."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from zfed.errors import RunFailedError
from zfed.facts import Fact
from zfed.nodes.words import (
    Effect,
    Finish,
    FramesArrived,
    Input,
    Logic,
    RouteGone,
    SendFrames,
    TellFact,
    TimePassed,
)
from zfed.transport.base import Buffer
from zfed.transport.memory import VirtualClock

LINGER_S: Final = 1.0
"""How long what a node sent last may still leave after its end, as with sockets."""

MOST_ALARMS: Final = 10
"""A logic may have several things due at once; one that is never done with them would keep a pump busy."""


@dataclass(frozen=True)
class Told:
    """What a node told, and when; `node` is a node's name or "coordinator"."""

    at: float
    node: str
    fact: Fact


class Driven:
    """Drives one logic as a pump does: inputs in, effects performed, woken in time.

    Args:
        name: Of the node.
        logic: Not started yet.
        clock: The time of all nodes.
        trace: Takes what the node tells.
    """

    def __init__(self, name: str, logic: Logic, clock: VirtualClock, trace: list[Told]) -> None:
        self._name = name
        self._logic = logic
        self._clock = clock
        self._trace = trace
        self._alive = True
        self._wake_at = math.inf
        self._perform: Mapping[type, Callable[[Any], None]] = {}
        self._send: Callable[[bytes, list[Buffer]], bool]
        self._disconnect: Callable[[], None]
        self.finish: Finish | None = None

    def start(self) -> None:
        """Perform the first effects."""
        self._do(self._logic.start(self._clock.now))

    def handle(self, event: Input) -> None:
        """Give the logic an input now, unless it is gone."""
        if self._alive and self.finish is None:
            self._do(self._logic.handle(event, self._clock.now))

    def post(self, event: Input) -> None:
        """Give the logic an input now, but after what is being done."""
        self._clock.at(self._clock.now, lambda: self.handle(event))

    def receive(self, route: bytes, frames: list[Buffer]) -> None:
        """A message has arrived."""
        self.handle(FramesArrived(route, frames))

    def crash(self) -> None:
        """Be gone, in the middle of whatever is done."""
        if self._alive:
            self._alive = False
            self._disconnect()

    def _do(self, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, SendFrames):
                if not self._send(effect.route, effect.frames):
                    self.post(RouteGone(effect.route))
            elif isinstance(effect, Finish):
                self.finish = effect
                self._clock.at(self._clock.now + LINGER_S, self.crash)
            elif isinstance(effect, TellFact):
                self._trace.append(Told(self._clock.now, self._name, effect.fact))
            else:
                self._perform[type(effect)](effect)
        self._set_alarm()

    def _set_alarm(self) -> None:
        wake = self._logic.next_wake
        if self.finish is None and wake is not None and wake < self._wake_at:
            self._wake_at = wake
            self._clock.at(wake, lambda: self._alarm(wake))

    def _alarm(self, set_for: float) -> None:
        if set_for != self._wake_at or not self._alive:
            return  # another one was set for earlier
        self._wake_at = math.inf
        for _ in range(MOST_ALARMS):
            wake = self._logic.next_wake
            if self.finish is not None or wake is None or wake > self._clock.now:
                self._set_alarm()
                return
            self.handle(TimePassed())
        raise RunFailedError(f"{self._name} wants to be woken at {self._clock.now:g} s again and again")
