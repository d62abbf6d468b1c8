"""What is compared: zfed's own nodes, as a person starts them, and raw sockets."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from zfed.benchmark.block import Side
from zfed.benchmark.plan import Plan


def engine_side(plan: Plan, zfed: Sequence[str]) -> Side:
    """A coordinator and workers with the task `echo`; `ZFED_*` variables speak to them as to any node.

    Args:
        plan: What to run.
        zfed: The words that start the command `zfed`.
    """

    def coordinator(folder: Path) -> list[str]:
        return [
            *(
                *zfed,
                "coordinator",
                "--insecure",
                "--bind",
                "tcp://127.0.0.1:*",
                "--run",
                str(folder / "run"),
            ),
            *("--rounds", str(plan.rounds_run), "--wait-for", str(plan.workers)),
            *("--min-workers", str(plan.workers), "--round-retries", "0"),
            *("--no-evaluate-first", "--evaluate-every", "0", "--no-evaluate-last"),
            *("--no-plot", "--format", "json"),
        ]

    def worker(address: str, name: str) -> list[str]:
        return [
            *(*zfed, "worker", "--insecure", "--name", name, "--connect", address, "--task", "echo"),
            *("--set", f"size={plan.model_bytes}", "--format", "json"),
        ]

    return Side(name="zfed", coordinator=coordinator, worker=worker)


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
