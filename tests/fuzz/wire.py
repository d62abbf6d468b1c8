"""`python -m tests.fuzz.wire`: any bytes to all that reads bytes of others, for as long as is wanted.

--seconds 60          in all; every target gets an equal part
--target NAME         only this one; may be given several times
--replay FILE         one finding to its target, which is that of its folder

What breaks a target is written to tests/fuzz/corpus/TARGET, where the ordinary tests meet it from then on.
What led to new coverage is kept in .fuzz/TARGET, and the next run goes on from it.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from tests.fuzz.target import CORPUS
from tests.fuzz.targets import NAMES, target

KEPT: Final = Path(".fuzz")
MAX_BYTES: Final = 8192
"""Longest input: limits are many times larger, and have tests of their own."""

SLOWEST_S: Final = 10
MOST_MEMORY_MIB: Final = 1024
"""For one input, and the process around it: more is a finding."""


@dataclass(frozen=True)
class Result:
    """What fuzzing one target came to."""

    name: str
    seconds: float
    executions: int
    added: int
    crashes: list[Path]
    said: str


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 0 if nothing broke, 1 if something did."""
    args = _parsed(arguments)
    if args.replay is not None:
        return _replay(args.replay)
    names = args.target or NAMES
    engine = "atheris_engine" if find_spec("atheris") else "plain_engine"
    if engine == "plain_engine":
        print(
            "atheris is not installed (it has wheels for Linux on x86-64): fuzzing blindly, without coverage"
        )
    print(f"{'target':<18} {'executions':>10} {'exec/s':>8} {'new corpus':>10} {'crashes':>7}", flush=True)
    results = []
    for name in names:
        result = _fuzz(engine, name, max(1, round(args.seconds / len(names))))
        rate = result.executions / result.seconds
        row = f"{name:<18} {result.executions:>10,} {rate:>8,.0f} {result.added:>10} {len(result.crashes):>7}"
        print(row, flush=True)
        results.append(result)
    for result in results:
        for path in result.crashes:
            print(f"\n{result.said}\nSee it again: python -m tests.fuzz.wire --replay {path}")
    return 1 if any(result.crashes for result in results) else 0


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.wire", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--seconds", type=float, default=60.0, help="how long in all (default 60)")
    parser.add_argument("--target", action="append", choices=NAMES, help="only this one")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="one finding")
    return parser.parse_args(arguments)


def _fuzz(engine: str, name: str, seconds: int) -> Result:
    """Fuzz one target in a process of its own: libFuzzer ends the one that it is in."""
    kept = KEPT / name
    kept.mkdir(parents=True, exist_ok=True)
    before = len(list(kept.iterdir()))
    with tempfile.TemporaryDirectory() as folder:
        seeds, found = Path(folder, "seeds"), Path(folder, "found")
        found.mkdir()
        _write_seeds(name, seeds)
        options = [
            f"-max_total_time={seconds}",
            f"-max_len={MAX_BYTES}",
            f"-timeout={SLOWEST_S}",
            f"-rss_limit_mb={MOST_MEMORY_MIB}",
            f"-artifact_prefix={found}/",
            "-print_final_stats=1",
        ]
        command = [sys.executable, "-m", f"tests.fuzz.{engine}", name, *options, str(kept), str(seeds)]
        began = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True, errors="replace")
        took_s = time.monotonic() - began
        crashes = [_keep(name, path) for path in sorted(found.iterdir())]
    executed = re.search(r"stat::number_of_executed_units: +(\d+)", done.stderr)
    if done.returncode and not crashes:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr[-3000:]}")
    executions = int(executed[1]) if executed else 0
    return Result(
        name,
        took_s,
        executions,
        len(list(kept.iterdir())) - before,
        crashes,
        _told(done.stdout + done.stderr),
    )


def _write_seeds(name: str, folder: Path) -> None:
    folder.mkdir()
    found = target(name)
    for number, seed in enumerate([*found.seeds(), *(path.read_bytes() for path in found.findings)]):
        (folder / str(number)).write_bytes(seed)


def _keep(name: str, artifact: Path) -> Path:
    """Put what broke a target where the ordinary tests find it."""
    path = CORPUS / name / artifact.name[:18]
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(artifact.read_bytes())
    return path.relative_to(Path.cwd())


def _told(output: str) -> str:
    """The traceback in what an engine said, or the end of it."""
    traceback = re.search(r"^Traceback.*?(?=^INFO:|^==|\Z)", output, re.DOTALL | re.MULTILINE)
    return traceback[0].rstrip() if traceback else output[-1000:]


def _replay(path: Path) -> int:
    understood = target(path.resolve().parent.name).take(path.read_bytes())
    print("understood" if understood else "refused with a declared error")
    return 0


if __name__ == "__main__":
    sys.exit(main())
