"""What a coordinator says of itself every other second, for who watches from outside."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from zfed.checkpoint import Health, remove_health, write_health
from zfed.facts import (
    DoorCounts,
    Fact,
    NodeJoined,
    NodeLeft,
    NotWritten,
    RoundCommitted,
    RoundOpened,
    RunResumed,
)
from zfed.nodes.background import Background

EVERY_S: Final = 2.0

log = logging.getLogger(__name__)


class HealthBook:
    """Knows from a coordinator's facts how it is.

    Args:
        run: The run's id.
        encrypted: Whether keys are asked for.
        closed_doors: Sentences about why nobody new is let in.
        door: What came to the door until now.
    """

    def __init__(
        self,
        run: str,
        *,
        encrypted: bool,
        closed_doors: Callable[[], list[str]],
        door: Callable[[], DoorCounts],
    ) -> None:
        self._run = run
        self._encrypted = encrypted
        self._closed_doors = closed_doors
        self._door = door
        self._version = -1
        self._round = 0
        self._here: set[str] = set()
        self._unwritten: dict[str, str] = {}

    def observe(self, fact: Fact) -> None:
        """Take in what happened."""
        match fact:
            case NodeJoined():
                self._here.add(fact.node)
            case NodeLeft():
                self._here.discard(fact.node)
            case RoundOpened() | RunResumed():
                self._version, self._round = fact.version, fact.round
            case RoundCommitted():
                self._version, self._round = fact.version, fact.round
                self._unwritten.clear()  # the disk takes files again
            case NotWritten():
                self._unwritten[fact.what] = f"cannot write {fact.what}: {fact.reason}"

    def record(self, wall_now: float) -> Health:
        """How it is now, in seconds since 1970."""
        closed_doors = self._closed_doors()
        return Health(
            at=wall_now,
            pid=os.getpid(),
            run=self._run,
            version=self._version,
            round=self._round,
            nodes=sorted(self._here),
            encrypted=self._encrypted,
            admitting=not closed_doors,
            troubles=[*closed_doors, *self._unwritten.values()],
            door=self._door(),
        )


class SignOfLife:
    """Has health.json written while the pump turns: if that hangs, the file grows old.

    Args:
        folder: The run directory.
        record: How the coordinator is at a time, in seconds since 1970.
    """

    def __init__(self, folder: Path, record: Callable[[float], Health]) -> None:
        self._folder = folder
        self._record = record
        self._due = 0.0
        self._writing = False
        self._thread = Background("zfed-health", lambda: None)

    def look(self) -> None:
        """Write, if it is time and the last one is written."""
        now = time.monotonic()
        if now < self._due or self._writing:
            return
        self._due = now + EVERY_S
        self._writing = True
        health = self._record(time.time())
        self._thread.add(lambda: self._write(health))
        self._thread.start()

    def close(self) -> None:
        """There is no life any more."""
        self._thread.close()
        remove_health(self._folder)

    def _write(self, health: Health) -> None:
        try:
            write_health(self._folder, health)
        except OSError as error:
            log.debug("health.json: %s", error)  # it grows old, which says as much
        finally:
            self._writing = False
