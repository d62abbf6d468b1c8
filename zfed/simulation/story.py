"""What happened in a simulated run, in words: one line per message, fact, disk call and death."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import orjson

from zfed.nodes.coordinator_words import Job, JobResult, SpillJob, SpillResult
from zfed.nodes.logic import Effect, Input
from zfed.nodes.words import FramesArrived, SendFrames, TellFact, TimePassed
from zfed.simulation.driven import Driven, Watch
from zfed.simulation.world import Simulation
from zfed.telemetry.sentences import describe
from zfed.transport.base import Buffer

LONGEST: Final = 160
"""Characters of a message or job; what comes after them says little."""


@dataclass
class Story:
    """Writes what it sees of a simulation, and lets another watch see it, too.

    Args:
        simulation: Whose time it is.
        write: Takes one line.
        watch: The other one.
    """

    simulation: Simulation
    write: Callable[[str], None]
    watch: Watch

    def starts(self, node: Driven) -> None:
        """A node begins."""
        self.simulation.disk_of(node.name).watch = lambda call: self._say(node.name, f"disk: {call}")
        self._say(node.name, "starts")
        self.watch.starts(node)

    def takes(self, node: Driven, event: Input) -> None:
        """A node takes an input."""
        match event:
            case FramesArrived():
                self._say(node.name, f"<- {in_words(event.frames)}")
            case TimePassed():
                pass
            case _:
                self._say(node.name, f"hears {_short(event)}")
        self.watch.takes(node, event)

    def does(self, node: Driven, effect: Effect) -> None:
        """A node performs an effect."""
        match effect:
            case SendFrames():
                self._say(node.name, f"-> {in_words(effect.frames)}")
            case TellFact():
                for line in describe(effect.fact):
                    self._say(node.name, f"tells: {line.strip()}")
            case _:
                self._say(node.name, f"orders {_short(effect)}")
        self.watch.does(node, effect)

    def has_done(self, node: Driven, job: Job | SpillJob, result: JobResult | SpillResult | None) -> None:
        """A coordinator has done a job."""
        self._say(node.name, f"has done {_short(job)}")
        self.watch.has_done(node, job, result)

    def has_taken(self, node: Driven) -> None:
        """Nothing to say."""
        self.watch.has_taken(node)

    def say(self, what: str) -> None:
        """Something happened that is nobody's doing."""
        self._say("", what)

    def _say(self, who: str, what: str) -> None:
        self.write(f"{self.simulation.clock.now:10.3f}  {who:<12}  {what}")


def in_words(frames: list[Buffer]) -> str:
    """A message: its kind, and its fields as JSON."""
    fields = orjson.loads(bytes(frames[0]))
    kind = fields.pop("kind", "?")
    payload = f" + {len(frames[1])} bytes" if len(frames) > 1 else ""
    return f"{kind} {orjson.dumps(fields).decode()[:LONGEST]}{payload}"


def _short(thing: object) -> str:
    return repr(thing)[:LONGEST]
