"""What is compared: zfed's own nodes, as a person starts them, and raw sockets."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from zfed.benchmark.block import Side, worker_name
from zfed.benchmark.plan import Plan
from zfed.identity import COORDINATOR, KeysFolder, make_folder


def encrypted_side(plan: Plan, zfed: Sequence[str], keys: Path) -> Side:
    """The nodes as they are meant to be run.

    Args:
        plan: What to run.
        zfed: The words that start the command `zfed`.
        keys: A folder for its throw-away keys; made here.
    """
    folder = KeysFolder(keys)
    make_folder(keys)
    coordinator = folder.new_key(COORDINATOR).public
    for number in range(1, plan.workers + 1):
        _enrol(folder, worker_name(number))
    where = ["--keys", str(keys)]
    return _engine("zfed", plan, zfed, where, [*where, "--coordinator-key", coordinator.text])


def plain_side(plan: Plan, zfed: Sequence[str]) -> Side:
    """The same nodes without keys; the difference is what encryption costs."""
    return _engine("zfed --insecure", plan, zfed, ["--insecure"], ["--insecure"])


def _enrol(folder: KeysFolder, name: str) -> None:
    public = folder.new_key(name).public
    folder.authorized_nodes.edit(
        lambda table: table.enrolled(name, public, now=int(time.time()), overlap_s=0)
    )


def _engine(
    name: str, plan: Plan, zfed: Sequence[str], of_coordinator: list[str], of_worker: list[str]
) -> Side:
    """A coordinator and workers with the task `echo`; `ZFED_*` variables speak to them as to any node."""

    def coordinator(folder: Path) -> list[str]:
        return [
            *(*zfed, "coordinator", "--bind", "tcp://127.0.0.1:*", "--run", str(folder / "run")),
            *("--rounds", str(plan.rounds_run), "--wait-for", str(plan.workers)),
            *("--min-workers", str(plan.workers), "--round-retries", "0"),
            *("--no-evaluate-first", "--evaluate-every", "0", "--no-evaluate-last"),
            *("--no-plot", "--format", "json", *of_coordinator),
        ]

    def worker(address: str, worker: str) -> list[str]:
        return [
            *(*zfed, "worker", "--name", worker, "--connect", address, "--task", "echo"),
            *("--set", f"size={plan.model_bytes}", "--format", "json", *of_worker),
        ]

    return Side(name=name, coordinator=coordinator, worker=worker)


def raw_side(plan: Plan) -> Side:
    """The same bytes over raw sockets; on a disk, also one durable write of the model a round."""
    program = [sys.executable, "-m", "zfed.benchmark.raw_sockets"]
    size = ["--length", str(plan.length), "--rounds", str(plan.rounds_run)]

    def coordinator(folder: Path) -> list[str]:
        models = ["--models", str(folder)] if plan.durable else []
        return [*program, "coordinator", *size, "--workers", str(plan.workers), *models]

    def worker(address: str, name: str) -> list[str]:
        return [*program, "worker", *size, "--connect", address]

    return Side(name="raw sockets", coordinator=coordinator, worker=worker)
