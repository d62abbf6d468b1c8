"""Fuzzing without coverage, for where atheris cannot be had; it takes and prints what that does.

It is blind: it changes seeds at random and keeps nothing. What it can find is what lies close to them.
"""

from __future__ import annotations

import hashlib
import random
import resource
import signal
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

from tests.fuzz.targets import target

MIB = 1 << 20
PIECES = (
    b'"',
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"-1",
    b"1e999",
    b"9" * 400,
    b"\0",
    b"\xff",
    b"\n",
    b"[" * 999,
)


def main() -> int:
    """Fuzz one target; 1 if it broke, and what broke it is kept."""
    name = sys.argv[1]
    options = dict(word[1:].split("=", 1) for word in sys.argv[2:] if word.startswith("-"))
    found = target(name)
    seeds = [b"", *found.seeds(), *(path.read_bytes() for path in found.findings)]
    resource.setrlimit(resource.RLIMIT_DATA, (int(options["rss_limit_mb"]) * MIB,) * 2)
    draw = random.Random(int(options.get("seed", time.time_ns())))
    until, executed = time.monotonic() + float(options["max_total_time"]), 0
    while time.monotonic() < until:
        data = changed(draw, seeds)[: int(options["max_len"])]
        executed += 1
        signal.alarm(int(options["timeout"]))  # an alarm that nobody hears ends the process
        try:
            found.take(data)
        except Exception:  # whatever it is, it is what was looked for
            traceback.print_exc()
            path = Path(options["artifact_prefix"] + "crash-" + hashlib.sha1(data).hexdigest())
            path.write_bytes(data)
            return 1
        finally:
            signal.alarm(0)
    print(f"stat::number_of_executed_units: {executed}", file=sys.stderr)
    return 0


def changed(draw: random.Random, seeds: Sequence[bytes]) -> bytes:
    """One of the seeds with a few changes: bytes, stretches, pieces of others."""
    data = bytearray(draw.choice(seeds))
    for _ in range(draw.choice((1, 1, 2, 4, 16))):
        place = draw.randrange(len(data) + 1)
        end = place + draw.choice((0, 1, 1, 4, 30))
        other = draw.choice(seeds)
        start = draw.randrange(len(other) + 1)
        piece = draw.choice((b"", draw.randbytes(1), draw.choice(PIECES), other[start : start + 20]))
        data[place:end] = piece
    return bytes(data)


if __name__ == "__main__":
    sys.exit(main())
