"""One block of rounds by one side: its processes started, timed, weighed and ended."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import msgspec

from zfed.benchmark.memory import MemoryWatch, private_bytes
from zfed.benchmark.plan import Plan
from zfed.errors import RunFailedError
from zfed.facts import AnyFact, CoordinatorStarted, NodeStarted, RoundCommitted, from_builtins
from zfed.processes import Child, Fleet, process_cpu_seconds

_START_S = 60.0
"""Seconds that a coordinator has to start."""

_SETTLED_S = 0.5
_SETTLED_SHARE = 0.01
_SETTLING_S = 10.0
"""A coordinator compiles its kernels once it listens: it is idle when for half a second it grows no more."""

_FAREWELL_S = 10.0


@dataclass(frozen=True, kw_only=True)
class Side:
    """One of the things compared: command lines of its processes, which tell facts as JSON.

    Attributes:
        name: Of what is measured.
        coordinator: Makes its command, given the folder for its files.
        worker: Makes the command of a worker, given the coordinator's address and the worker's name.
    """

    name: str
    coordinator: Callable[[Path], list[str]]
    worker: Callable[[str, str], list[str]]


@dataclass(frozen=True, kw_only=True)
class Block:
    """What was measured; lists hold one item for each counted round or each worker.

    Attributes:
        round_s: Seconds from commit to commit.
        cpu_s: CPU seconds a round, of each process; the coordinator first.
        peak_bytes: Most private memory over the idle size, of each process; the coordinator first.
        bytes_down: Payload a round, from the coordinator to all workers.
        bytes_up: Payload a round, from all workers to the coordinator.
    """

    round_s: list[float]
    cpu_s: list[float]
    peak_bytes: list[int]
    bytes_down: int
    bytes_up: int


def worker_name(number: int) -> str:
    """The name of a block's worker, from 1 on."""
    return f"worker-{number}"


def run_block(side: Side, plan: Plan, folder: Path) -> Block:
    """Run one block's rounds.

    Args:
        side: What to run.
        plan: How much of it.
        folder: For this block's files; made here.

    Raises:
        RunFailedError: If a process failed; says how, and what it said last.
    """
    folder.mkdir()
    heard = _Heard(plan.rounds_run)
    with Fleet(folder / "logs", heard) as fleet, MemoryWatch() as watch:
        coordinator = fleet.start("coordinator", side.coordinator(folder), _environment(folder))
        heard.children.append(coordinator)
        fleet.listen_until(lambda: bool(heard.address) or coordinator.exit_code is not None, _START_S)
        if not heard.address:
            raise _failure(side, coordinator)
        _settle(fleet, coordinator.process.pid)
        heard.idle[coordinator] = private_bytes(coordinator.process.pid)
        for number in range(1, plan.workers + 1):
            name = worker_name(number)
            heard.children.append(fleet.start(name, side.worker(heard.address, name), _environment(folder)))
        for child in heard.children:
            watch.add(child.process.pid)
        _wait_for_end(side, fleet, coordinator)
        if len(heard.committed) != plan.rounds_run:
            raise _failure(side, coordinator)
        return heard.block(watch)


class _Heard:
    """Listens to the processes of a block, and reads the clocks when a round has been committed."""

    def __init__(self, rounds: int) -> None:
        self.address = ""
        self.children: list[Child] = []
        self.idle: dict[Child, int] = {}
        self.committed: list[tuple[float, RoundCommitted]] = []
        self._cpu_s: list[list[float]] = []
        self._marks = (1, rounds - 1)

    def __call__(self, child: Child, line: str) -> None:
        fact = _fact(line)
        if isinstance(fact, CoordinatorStarted):
            self.address = fact.address
        elif isinstance(fact, NodeStarted):
            self.idle[child] = private_bytes(child.process.pid)
        elif isinstance(fact, RoundCommitted):
            self.committed.append((time.perf_counter(), fact))
            if fact.round in self._marks:
                self._cpu_s.append([process_cpu_seconds(child.process.pid) or 0.0 for child in self.children])

    def block(self, watch: MemoryWatch) -> Block:
        """What has been measured from the first round's end to that of the last but one."""
        times = [when for when, _ in self.committed[:-1]]
        counted = len(times) - 1
        before, after = self._cpu_s
        last = self.committed[-2][1]
        return Block(
            round_s=[later - earlier for earlier, later in pairwise(times)],
            cpu_s=[(end - start) / counted for start, end in zip(before, after, strict=True)],
            peak_bytes=[watch.peak(child.process.pid) - self.idle.get(child, 0) for child in self.children],
            bytes_down=last.bytes_down,
            bytes_up=last.bytes_up,
        )


def _environment(folder: Path) -> dict[str, str]:
    """What compressed workers keep goes with the block, like all its files."""
    return {"ZFED_STATE": str(folder / "state"), **os.environ, "PYTHONUNBUFFERED": "1"}


def _settle(fleet: Fleet, pid: int) -> None:
    deadline = time.monotonic() + _SETTLING_S
    before, now = 0, private_bytes(pid)
    while now > before * (1 + _SETTLED_SHARE) and time.monotonic() < deadline:
        fleet.listen_until(lambda: False, _SETTLED_S)
        before, now = now, private_bytes(pid)


def _wait_for_end(side: Side, fleet: Fleet, coordinator: Child) -> None:
    """Return when the coordinator is done; workers then have a moment to end by themselves."""
    while (child := fleet.wait()) is not None and child.exit_code == 0 and child is not coordinator:
        pass
    if child is not None and child.exit_code != 0:
        raise _failure(side, child)
    while fleet.running() and fleet.wait(_FAREWELL_S) is not None:
        pass


def _failure(side: Side, child: Child) -> RunFailedError:
    said = f": {child.last_error}" if child.last_error else ""
    return RunFailedError(
        f"{side.name}: the process {child.name} did not get through (exit code {child.exit_code}){said}"
    )


def _fact(line: str) -> AnyFact | None:
    try:
        return from_builtins(msgspec.json.decode(line.encode()))
    except msgspec.MsgspecError:  # a warning, or a traceback's line
        return None
