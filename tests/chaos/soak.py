"""Random kills for a while: `make soak MINUTES=30`, or `python -m tests.chaos.soak --help`.

One coordinator, three workers, an evaluator. Every few seconds one of them is killed with SIGKILL and
started again with the same command, or stopped for a moment. One worker, the witness, is never touched: it
trains each round once, whatever happens to the others, and its memory and descriptors do not grow.
"""

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.chaos.runs import Run
from tests.processes import Fleet
from zfed.facts import NodeJoined

WITNESS = "witness"
WORKERS = ("alice", "bob", WITNESS)
MEAN_PAUSE_S = 2.0
SETTLE_S = 15.0
"""Until the first measurement: libraries are loaded, the first rounds done."""
STOPPED_S = 3.0
FLAGS = (
    *("--rounds", 1_000_000, "--strategy", "fedavgm", "--rejoin-grace", 5, "--restart-grace", 5),
    *("--evaluate-every", 20),
)


@dataclass(frozen=True)
class Size:
    """What a process takes."""

    resident: int
    descriptors: int

    @classmethod
    def of(cls, node):
        """Now."""
        process = psutil.Process(node.process.pid)
        return cls(process.memory_info().rss, process.num_fds())


@dataclass(frozen=True)
class Soaked:
    """What came of it: `first` and `last` are the witness's, `starts` those of the coordinator, settled."""

    kills: int
    versions: int
    slowest_recovery_s: float
    first: Size
    last: Size
    starts: tuple[Size, Size]


def soak(run, seconds, random_source):
    """Kill and start again until the time is over; the run still goes on then."""
    until = time.monotonic() + seconds
    settle(run, SETTLE_S)
    first, started = Size.of(run.workers[WITNESS]), Size.of(run.coordinator)
    kills = 0
    while time.monotonic() < until:
        settle(run, random_source.expovariate(1 / MEAN_PAUSE_S))
        strike(run, random_source)
        kills += 1
    settle(run, SETTLE_S)
    return Soaked(
        kills=kills,
        versions=run.events("committed")[-1]["version"],
        slowest_recovery_s=max(run.recoveries_s, default=0.0),
        first=first,
        last=Size.of(run.workers[WITNESS]),
        starts=(started, Size.of(run.coordinator)),
    )


def settle(run, seconds):
    """Let it work for so long."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        assert run.coordinator.process.poll() is None, run.coordinator.report("ended by itself")
        time.sleep(0.05)


def strike(run, random_source):
    """One fault."""
    who = random_source.choice(["coordinator", "coordinator", "worker", "evaluator", "stopped"])
    name = random_source.choice([worker for worker in WORKERS if worker != WITNESS])
    if who == "coordinator":
        run.kill()
        run.restart()
        run.await_workers()
    elif who == "worker":
        run.workers[name].process.kill()
        run.workers[name].process.wait()
        run.start_worker(name)
        run.coordinator.awaited(NodeJoined, node=name)
    elif who == "evaluator":
        run.evaluator.process.kill()
        run.evaluator.process.wait()
        run.start_evaluator()
    else:
        stopped = random_source.choice([run.coordinator, run.workers[name], run.evaluator]).process
        stopped.send_signal(signal.SIGSTOP)
        time.sleep(STOPPED_S)
        stopped.send_signal(signal.SIGCONT)


def check(run, soaked):
    """The promises.

    Raises:
        AssertionError: If one is broken.
    """
    committed = run.events("committed")
    assert [line["version"] for line in committed] == list(range(len(committed)))
    for line in committed[1:]:
        assert len(set(line["workers"])) == len(line["workers"])
    trained = run.trainings()
    twice = {part: times for part, times in trained.items() if part[0] == WITNESS and times > 1}
    assert not twice, f"the witness trained again: {twice}"
    assert soaked.versions > soaked.kills, "too few rounds between kills"
    assert soaked.last.descriptors <= soaked.first.descriptors + 2
    assert soaked.last.resident <= soaked.first.resident * 1.1 + (8 << 20)
    before, after = soaked.starts
    assert after.descriptors <= before.descriptors + 4
    assert after.resident <= before.resident * 1.25 + (16 << 20)


def sentences(soaked):
    """What was measured, for a person."""
    before, after = soaked.starts
    slowest_s = soaked.slowest_recovery_s
    yield f"{soaked.kills} faults, {soaked.versions} versions, slowest recovery {slowest_s:.1f} s"
    for whose, first, last in [("witness", soaked.first, soaked.last), ("coordinator", before, after)]:
        yield (
            f"{whose}: {first.resident / 1e6:.0f} MB and {first.descriptors} descriptors at first, "
            f"{last.resident / 1e6:.0f} MB and {last.descriptors} at the end"
        )


def soaked_run(folder, seconds, seed, say):
    """Do all of it in this folder; says what was measured, and then checks it."""
    fleet = Fleet(folder)
    try:
        run = Run(fleet, *FLAGS, workers=WORKERS, evaluator=True, pause_s=0.1, remember=True)
        soaked = soak(run, seconds, random.Random(seed))
        run.coordinator.interrupt()
        assert run.coordinator.exit_code() == 130, run.coordinator.report("end")
        for sentence in sentences(soaked):
            say(sentence)
        check(run, soaked)
        verify = [sys.executable, "-m", "zfed_cli.main", "runs", "verify", run.path]
        subprocess.run(verify, check=True, stdout=subprocess.DEVNULL)
    finally:
        fleet.close()


def main():
    """Do it for as long as is asked."""
    parser = argparse.ArgumentParser(description="random kills for a while")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=None, help="of the faults; default: a fresh one")
    args = parser.parse_args()
    seed = random.SystemRandom().randrange(2**32) if args.seed is None else args.seed
    sys.stdout.write(f"seed {seed}\n")
    sys.stdout.flush()
    with tempfile.TemporaryDirectory(prefix="zfed-soak-") as folder:
        soaked_run(Path(folder), args.minutes * 60, seed, lambda said: sys.stdout.write(said + "\n"))


if __name__ == "__main__":
    main()
