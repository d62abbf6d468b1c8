"""`python -m tests.fuzz.messages`: forged messages to real logics until so many were taken.

--count 1000000       how many
--from N              the first seed; each run of 2,000 messages has its own
--seed N              only this one, as when it was found
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Sequence
from typing import Final

from tests.fuzz.episode import Outcomes, perform
from zfed.strategies import warm_up

PROGRESS_S: Final = 10.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 0 if no message broke anything, 1 if one did."""
    args = _parsed(arguments)
    warm_up()  # else the first message would be the slowest: it waits for a compiler
    outcomes = Outcomes()
    if args.seed is not None:
        perform(args.seed, outcomes)
        print(_summary(outcomes, args.seed, args.seed))
        return 0
    return _forge(args.first, args.count, outcomes)


def _forge(first: int, count: int, outcomes: Outcomes) -> int:
    began, cpu = time.monotonic(), time.process_time()
    next_progress = began + PROGRESS_S
    seed, peak_kib = first, 0
    while outcomes.messages < count:
        try:
            perform(seed, outcomes)
        except Exception as error:  # whatever it is, it is what was looked for
            print(f"seed {seed}: {type(error).__name__}: {error}")
            print(f"See it again: python -m tests.fuzz.messages --seed {seed}")
            return 1
        peak_kib = peak_kib or _peak_kib()
        seed += 1
        if time.monotonic() >= next_progress:
            next_progress += PROGRESS_S
            print(f"{time.monotonic() - began:5.0f} s: {outcomes.messages:,} messages", flush=True)
    print(_summary(outcomes, first, seed - 1))
    grown = (_peak_kib() - peak_kib) / 1024
    print(f"{time.process_time() - cpu:.0f} CPU s; peak memory grew by {grown:.1f} MiB after the first run")
    return 0


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.messages", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--count", type=int, default=1_000_000, help="how many (default 1000000)")
    parser.add_argument("--from", type=int, dest="first", metavar="N", default=1, help="first seed")
    parser.add_argument("--seed", type=int, metavar="N", help="only this one")
    return parser.parse_args(arguments)


def _summary(outcomes: Outcomes, first: int, last: int) -> str:
    lines = [f"no message broke anything: {outcomes.messages:,} forged ones, seeds {first} to {last}"]
    for side in ("coordinator", "member"):
        parts = [f"{count:,} {what}" for (who, what), count in sorted(outcomes.counts.items()) if who == side]
        lines.append(f"{side}: {', '.join(parts)}")
    ends = ", ".join(f"{count} {end}" for end, count in outcomes.ends.most_common())
    lines.append(f"{outcomes.rounds:,} rounds were completed meanwhile; runs: {ends}")
    lines.append(f"slowest message: {outcomes.slowest_s * 1000:.1f} ms")
    return "\n".join(lines)


def _peak_kib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    sys.exit(main())
