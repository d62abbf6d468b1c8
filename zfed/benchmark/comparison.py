"""Runs both sides in turn and says what one takes of the other."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from zfed.benchmark.averaging import measure_averaging
from zfed.benchmark.block import Block, run_block
from zfed.benchmark.plan import Plan
from zfed.benchmark.sides import encrypted_side, plain_side, raw_side


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One side, over all its blocks. Times and bytes are those of one round.

    Attributes:
        round_s: Median seconds from commit to commit.
        fastest_s: The shortest of them.
        slowest_s: The longest of them.
        cpu_s: Median CPU seconds of all processes together.
        cpu_coordinator_s: Of the coordinator alone.
        cpu_workers_s: Of each worker; its median over the blocks.
        peak_coordinator_bytes: Most private memory over the idle size, in any block.
        peak_workers_bytes: The same of each worker.
        bytes_down: Payload from the coordinator to all workers.
        bytes_up: Payload from all workers to the coordinator.
    """

    round_s: float
    fastest_s: float
    slowest_s: float
    cpu_s: float
    cpu_coordinator_s: float
    cpu_workers_s: list[float]
    peak_coordinator_bytes: int
    peak_workers_bytes: list[int]
    bytes_down: int
    bytes_up: int


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What `zfed bench` found; `averaging_s` holds the seconds of `zfed.benchmark.averaging.WAYS`."""

    plan: Plan
    encrypted: Measured
    plain: Measured
    raw: Measured
    averaging_s: dict[str, float]

    @property
    def ratios(self) -> dict[str, float]:
        """Round time and CPU time without encryption, of those of raw sockets; and with it, of without."""
        return {
            "round": self.plain.round_s / self.raw.round_s,
            "cpu": self.plain.cpu_s / self.raw.cpu_s,
            "encrypted_round": self.encrypted.round_s / self.plain.round_s,
            "encrypted_cpu": self.encrypted.cpu_s / self.plain.cpu_s,
        }


def compare(plan: Plan, zfed: Sequence[str], say: Callable[[str], None]) -> Comparison:
    """Run the blocks: zfed, zfed without encryption, raw sockets, zfed ..., then averaging alone.

    Args:
        plan: What to run.
        zfed: The words that start the command `zfed`.
        say: Is told what is being measured.

    Raises:
        RunFailedError: If a process failed.
    """
    blocks: dict[str, list[Block]] = {}
    with tempfile.TemporaryDirectory(prefix="zfed-bench-keys-") as keys:
        sides = (encrypted_side(plan, zfed, Path(keys) / "keys"), plain_side(plan, zfed), raw_side(plan))
        for number in range(1, plan.blocks + 1):
            for side in sides:
                say(f"block {number} of {plan.blocks}: {side.name}")
                with tempfile.TemporaryDirectory(prefix="zfed-bench-", dir=plan.folder) as folder:
                    block = run_block(side, plan, Path(folder) / "block")
                blocks.setdefault(side.name, []).append(block)
    say("averaging alone")
    encrypted, plain, raw = (summarised(blocks[side.name]) for side in sides)
    averaging_s = measure_averaging(plan.length, plan.workers)
    return Comparison(plan=plan, encrypted=encrypted, plain=plain, raw=raw, averaging_s=averaging_s)


def summarised(blocks: Sequence[Block]) -> Measured:
    """Medians of times over all blocks, and peaks of memory."""
    rounds = list(chain.from_iterable(block.round_s for block in blocks))
    cpu_coordinator_s, *cpu_workers_s = _each(statistics.median, [block.cpu_s for block in blocks])
    peak_coordinator, *peak_workers = _each(max, [block.peak_bytes for block in blocks])
    return Measured(
        round_s=statistics.median(rounds),
        fastest_s=min(rounds),
        slowest_s=max(rounds),
        cpu_s=statistics.median(sum(block.cpu_s) for block in blocks),
        cpu_coordinator_s=cpu_coordinator_s,
        cpu_workers_s=cpu_workers_s,
        peak_coordinator_bytes=int(peak_coordinator),
        peak_workers_bytes=[int(peak) for peak in peak_workers],
        bytes_down=blocks[0].bytes_down,
        bytes_up=blocks[0].bytes_up,
    )


def _each(choose: Callable[[Sequence[float]], float], blocks: Sequence[Sequence[float]]) -> list[float]:
    """One number for each process, chosen from its numbers in all blocks."""
    return [choose(process) for process in zip(*blocks, strict=True)]
