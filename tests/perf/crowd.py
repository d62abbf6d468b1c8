"""What many workers cost a coordinator: `make crowd`, or `python -m tests.perf.crowd --help`.

A real `zfed coordinator`, and a few processes with many light workers each (`crowd_members`), so that a
thousand connections fit on one machine. Only the coordinator is measured.
"""

import argparse
import collections
import json
import os
import resource
import shutil
import statistics
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from zfed.benchmark.memory import MemoryWatch, private_bytes
from zfed.benchmark.plan import MEMORY_FOLDER
from zfed.config.sizes import parse_size
from zfed.facts import CoordinatorStarted, NodeJoined, RoundCommitted, RoundOpened, RoundRetried
from zfed.facts import from_builtins as fact_of
from zfed.processes import Fleet, process_cpu_seconds

ZFED = [sys.executable, "-m", "zfed_cli.main"]
MEMBERS = [sys.executable, "-m", "tests.perf.crowd_members"]
START_S = 60.0
SETTLE_S = 2.0
LONGEST_RUN_S = 600.0
SPARE_FILES = 100
"""Descriptors that a process needs beside its connections."""


@dataclass(frozen=True, kw_only=True)
class Crowd:
    """What to measure; `model_bytes` is a multiple of 4."""

    workers: int
    model_bytes: int
    rounds: int
    processes: int
    options: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class CrowdFigures:
    """What was measured; the first round is in none of the medians.

    Attributes:
        cpu_s: Median CPU seconds of the coordinator a round, from commit to commit.
        round_s: Median seconds a round, from opening to commit.
        join_cpu_s: The coordinator's CPU seconds from the first HELLO until all workers were in.
        updates_lost: Over all rounds, updates of the cohort that did not become part of the version.
        rounds_retried: Rounds that had to be opened again.
        messages: Of each kind, sent and received by all workers in the whole run.
        connection_bytes: Private memory of the coordinator a worker, once all are in.
        peak_bytes: The most private memory over what it was before the first worker came.
    """

    cpu_s: float
    round_s: float
    join_cpu_s: float
    updates_lost: int
    rounds_retried: int
    messages: dict[str, int]
    connection_bytes: int
    peak_bytes: int


class Heard:
    """What the coordinator tells, and its clocks at these moments."""

    def __init__(self, workers):
        self.address = ""
        self.joined = 0
        self.retried = 0
        self.lost = 0
        self.round_s = []
        self.committed_cpu_s = []
        self.joined_cpu_s = 0.0
        self.joined_bytes = 0
        self.messages = collections.Counter()
        self._workers = workers

    def __call__(self, child, line):
        if child.name != "coordinator":
            self._hear_members(line)
            return
        try:
            fact = fact_of(json.loads(line))
        except ValueError:
            return
        pid = child.process.pid
        if isinstance(fact, CoordinatorStarted):
            self.address = fact.address
        elif isinstance(fact, NodeJoined):
            self.joined += 1
        elif isinstance(fact, RoundOpened):
            if fact.round == 1:
                self.joined_cpu_s = process_cpu_seconds(pid)
                self.joined_bytes = private_bytes(pid)
        elif isinstance(fact, RoundRetried):
            self.retried += 1
        elif isinstance(fact, RoundCommitted):
            self.committed_cpu_s.append(process_cpu_seconds(pid))
            self.round_s.append(fact.seconds)
            self.lost += self._workers - len(fact.workers)

    def _hear_members(self, line):
        try:
            counted = json.loads(line)
        except ValueError:
            return
        for way, kind, count in counted:
            self.messages[f"{way} {kind}"] += count


def measure(crowd, folder):
    """Run it, with its files in `folder`."""
    check_open_files(crowd)
    heard = Heard(crowd.workers)
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    command = [
        *(*ZFED, "coordinator", "--insecure", "--bind", "tcp://127.0.0.1:*", "--run", str(folder / "run")),
        *("--rounds", str(crowd.rounds), "--wait-for", str(crowd.workers)),
        *("--no-evaluate-first", "--evaluate-every", "0", "--no-evaluate-last"),
        *("--no-plot", "--format", "json", *crowd.options),
    ]
    with Fleet(folder / "logs", heard) as fleet, MemoryWatch() as watch:
        coordinator = fleet.start("coordinator", command, environment)
        fleet.listen_until(lambda: bool(heard.address) or coordinator.exit_code is not None, START_S)
        fleet.listen_until(lambda: coordinator.exit_code is not None, SETTLE_S)  # kernels are compiled
        if coordinator.exit_code is not None:
            raise RuntimeError(f"the coordinator ended: {coordinator.last_error}")
        pid = coordinator.process.pid
        idle_bytes, idle_cpu_s = private_bytes(pid), process_cpu_seconds(pid)
        watch.add(pid)
        for part in range(crowd.processes):
            first = part * crowd.workers // crowd.processes
            many = (part + 1) * crowd.workers // crowd.processes - first
            numbers = ["--first", str(first), "--workers", str(many), "--bytes", str(crowd.model_bytes)]
            fleet.start(f"members-{part}", [*MEMBERS, heard.address, *numbers], environment)
        deadline = time.monotonic() + LONGEST_RUN_S
        while fleet.running() and time.monotonic() < deadline:
            ended = fleet.wait(deadline - time.monotonic())
            if ended is None or ended.exit_code != 0:
                who = "nobody" if ended is None else f"{ended.name} ({ended.last_error})"
                raise RuntimeError(f"{who} ended; {heard.joined} workers were in, {heard.retried} retries")
        rounds_cpu_s = [
            after - before
            for before, after in zip(heard.committed_cpu_s, heard.committed_cpu_s[1:], strict=False)
        ]
        return CrowdFigures(
            cpu_s=statistics.median(rounds_cpu_s),
            round_s=statistics.median(heard.round_s[1:]),
            join_cpu_s=heard.joined_cpu_s - idle_cpu_s,
            updates_lost=heard.lost,
            rounds_retried=heard.retried,
            messages=dict(sorted(heard.messages.items())),
            connection_bytes=(heard.joined_bytes - idle_bytes) // crowd.workers,
            peak_bytes=watch.peak(pid) - idle_bytes,
        )


def check_open_files(crowd):
    """Each connection is an open file, at the coordinator and at the members.

    Raises:
        RuntimeError: If this process, and so its children, may not open as many.
    """
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = crowd.workers + SPARE_FILES
    if allowed < needed:
        raise RuntimeError(f"{needed} open files are needed, {allowed} are allowed: ulimit -n {needed}")


def lines(crowd, figures):
    """The figures, for a person."""
    each = crowd.workers * crowd.rounds
    yield f"{crowd.workers} workers x {crowd.model_bytes / 1e6:g} MB, {crowd.rounds} rounds"
    a_worker_us = figures.cpu_s / crowd.workers * 1e6
    yield f"coordinator, CPU a round       {figures.cpu_s:.3f} s, {a_worker_us:.0f} us a worker"
    yield f"coordinator, CPU to let all in {figures.join_cpu_s:.2f} s"
    yield f"round                          {figures.round_s:.2f} s"
    yield f"updates lost, rounds retried   {figures.updates_lost}, {figures.rounds_retried}"
    yield f"memory a connection            {figures.connection_bytes / 1024:.0f} KiB"
    yield f"peak memory over idle          {figures.peak_bytes / 1e6:.0f} MB"
    for kind, count in figures.messages.items():
        yield f"  {kind:28} {count:8}, {count / each:.2f} a round and worker"


def main():
    """Measure what is asked for and print it."""
    parser = argparse.ArgumentParser(description="what many workers cost a coordinator")
    parser.add_argument("--workers", type=int, default=1000)
    parser.add_argument("--size", default="100KB", help="of the model, as 100KB")
    parser.add_argument("--rounds", type=int, default=7, help="the first is not counted")
    parser.add_argument("--processes", type=int, default=2, help="that share the workers")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("options", nargs="*", help="of the coordinator, after --")
    args = parser.parse_args()
    crowd = Crowd(
        workers=args.workers,
        model_bytes=parse_size(args.size) // 4 * 4,
        rounds=args.rounds,
        processes=args.processes,
        options=tuple(args.options),
    )
    folder = Path(
        tempfile.mkdtemp(prefix="zfed-crowd-", dir=MEMORY_FOLDER if MEMORY_FOLDER.is_dir() else None)
    )
    try:
        figures = measure(crowd, folder)
    finally:
        shutil.rmtree(folder)
    text = json.dumps(asdict(figures)) if args.json else "\n".join(lines(crowd, figures))
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main()
