"""How long control waits behind models on a narrow link: `python -m tests.perf.narrow_link`, as root.

Real nodes in two network namespaces that are joined by a cable which lets 1 Mbit/s through each way (tbf).
The coordinator is in the one, all workers are in the other; it pings them 20 times a second.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from zfed.facts import RoundCommitted
from zfed.facts import from_builtins as fact_of
from zfed.processes import Fleet

BYTES_PER_S = 125_000
CABLE = "rate 1mbit burst 4kb latency 2s"
ADDRESS = "tcp://10.78.0.1:8777"
COORDINATOR = [sys.executable, "-m", "tests.perf.pinging_coordinator"]
ZFED = [sys.executable, "-m", "zfed_cli.main"]
QUIET = ["--no-plot", "--no-evaluate-first", "--evaluate-every", "0", "--no-evaluate-last"]
LONGEST_RUN_S = 300.0


class NoNamespacesError(Exception):
    """This machine, or this user, has no network namespaces."""


@dataclass(frozen=True)
class Figures:
    """What was measured while models and updates were under way.

    Attributes:
        share: Payload a second of the round, of what the link carries.
        median_ms: Of the times from PING to PONG.
        late_ms: One of twenty took longer.
        worst_ms: The longest.
    """

    share: float
    median_ms: float
    late_ms: float
    worst_ms: float


@contextmanager
def narrow_link():
    """Two machines with a narrow cable: prefixes of commands that run on each.

    Raises:
        NoNamespacesError: If they cannot be made.
    """
    here, there = (f"zfed-narrow-{os.getpid()}-{side}" for side in "ab")
    ends = [(here, f"zn{os.getpid()}a", "10.78.0.1/24"), (there, f"zn{os.getpid()}b", "10.78.0.2/24")]
    steps = [
        *(f"ip netns add {name}" for name in (here, there)),
        f"ip link add {ends[0][1]} netns {here} type veth peer name {ends[1][1]} netns {there}",
        *(f"ip -n {name} addr add {address} dev {device}" for name, device, address in ends),
        *(f"ip -n {name} link set {device} up" for name, device, _ in ends),
        *(f"ip netns exec {name} tc qdisc add dev {device} root tbf {CABLE}" for name, device, _ in ends),
    ]
    try:
        for step in steps:
            try:
                subprocess.run(step.split(), capture_output=True, text=True, check=True)
            except (OSError, subprocess.CalledProcessError) as error:
                said = getattr(error, "stderr", "") or error
                raise NoNamespacesError(f"no network namespaces with tbf here: {step}: {said}") from error
        yield ["ip", "netns", "exec", here], ["ip", "netns", "exec", there]
    finally:
        for name in (here, there):
            subprocess.run(["ip", "netns", "del", name], capture_output=True)


def measure(size, workers, folder, *, coordinator=(), worker=()):
    """One round of the task `echo` over a narrow link; `coordinator` and `worker` are more flags of these."""
    facts = []

    def hear(child, line):
        if child.name == "coordinator" and line.startswith("{"):
            facts.append(fact_of(json.loads(line)))

    environment = {
        **os.environ,
        "PYTHONUNBUFFERED": "1",
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }
    round_trips = folder / "round-trips"
    with narrow_link() as (here, there), Fleet(folder / "logs", hear) as fleet:
        command = [*here, *COORDINATOR, str(round_trips), "coordinator", "--bind", ADDRESS, "--insecure"]
        command += ["--rounds", "1", "--wait-for", str(workers), "--run", str(folder / "run"), *QUIET]
        fleet.start("coordinator", [*command, *coordinator, "--format", "json"], environment)
        for number in range(workers):
            command = [*there, *ZFED, "worker", "--insecure", "--connect", ADDRESS, "--name", f"w{number}"]
            command += ["--task", "echo", "--set", f"size={size}", *worker, "--format", "json"]
            fleet.start(f"w{number}", command, environment)
        while fleet.running():
            ended = fleet.wait(LONGEST_RUN_S)
            if ended is None or ended.exit_code:
                raise RuntimeError(f"{ended.name if ended else 'nobody'} ended; {ended and ended.last_error}")
    [committed] = [fact for fact in facts if isinstance(fact, RoundCommitted)]
    moved = committed.bytes_down + committed.bytes_up
    took_ms = sorted(json.loads(line)[1] * 1000 for line in round_trips.read_text().splitlines())
    return Figures(
        share=moved / committed.seconds / BYTES_PER_S,
        median_ms=statistics.median(took_ms),
        late_ms=took_ms[len(took_ms) * 19 // 20],
        worst_ms=took_ms[-1],
    )


def main():
    """Measure what is asked for and print it."""
    parser = argparse.ArgumentParser(description="how long control waits behind models on 1 Mbit/s")
    parser.add_argument("--size", default="1MB", help="of the model")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--coordinator", default="", help="more flags for the coordinator, in one text")
    parser.add_argument("--worker", default="", help="more flags for each worker")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="zfed-narrow-") as folder:
        more = {"coordinator": args.coordinator.split(), "worker": args.worker.split()}
        figures = measure(args.size, args.workers, Path(folder), **more)
    sys.stdout.write(
        f"PING to PONG: median {figures.median_ms:.0f} ms, 1 of 20 over {figures.late_ms:.0f} ms, "
        f"longest {figures.worst_ms:.0f} ms; payload {figures.share:.0%} of the link\n"
    )


if __name__ == "__main__":
    main()
