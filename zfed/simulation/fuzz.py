"""`python -m zfed.simulation.fuzz`: fresh schedules until the time is over, or one promise is broken.

--seconds 60                  so long, from a seed taken from the clock
--from N                      the same seeds again: N, N + 1, ...
--seed N [--without 0,3]      one schedule with all that happens in it, without some of its faults
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from zfed.simulation.schedule import Schedule, draw_schedule
from zfed.simulation.trial import Outcome, perform, perform_twice, perform_undisturbed
from zfed.strategies import warm_up

TWICE_EVERY: Final = 16
UNDISTURBED_EVERY: Final = 4
PROGRESS_S: Final = 5.0


@dataclass
class Tally:
    """What came of many schedules.

    Attributes:
        slowest: Virtual seconds of the slowest recovery, and its seed.
    """

    schedules: int = 0
    rounds: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    slowest: tuple[float, int] = (0.0, 0)

    def add(self, schedule: Schedule, outcome: Outcome) -> None:
        """One more."""
        self.schedules += 1
        self.rounds += outcome.rounds
        self.faults += outcome.faults
        self.slowest = max(self.slowest, (outcome.recovery_s, schedule.seed))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 0 if every promise held, 1 if one was broken."""
    args = _parsed(arguments)
    warm_up()  # else the first rounds would be those in which kernels are compiled
    if args.seed is not None:
        schedule = draw_schedule(args.seed).without([int(each) for each in args.without.split(",") if each])
        return _replay(schedule)
    first = int(time.time()) if args.first is None else args.first
    return _fuzz(first, args.seconds)


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m zfed.simulation.fuzz", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--seconds", type=float, default=60.0, help="how long (default 60)")
    parser.add_argument("--from", type=int, dest="first", metavar="N", help="first seed")
    parser.add_argument("--seed", type=int, metavar="N", help="only this one, in all detail")
    parser.add_argument("--without", default="", metavar="LIST", help="leave these of its faults out")
    return parser.parse_args(arguments)


def _fuzz(first: int, seconds: float) -> int:
    began, cpu = time.monotonic(), time.process_time()
    next_progress = began + PROGRESS_S
    tally, seed = Tally(), first
    _say(f"from seed {first}, for {seconds:g} s")
    while time.monotonic() < began + seconds:
        schedule = draw_schedule(seed)
        try:
            tally.add(schedule, _tried(schedule, tally.schedules))
        except Exception as error:
            return _failed(schedule, error)
        seed += 1
        if time.monotonic() >= next_progress:
            next_progress += PROGRESS_S
            _say(f"{time.monotonic() - began:5.0f} s: {tally.schedules} schedules, {tally.rounds} rounds")
    _say(_summary(tally, first, time.process_time() - cpu))
    return 0


def _tried(schedule: Schedule, number: int) -> Outcome:
    outcome = perform(schedule)
    if number % TWICE_EVERY == 0:
        perform_twice(schedule, outcome)
    if number % UNDISTURBED_EVERY == 0:
        perform_undisturbed(schedule, outcome)
    return outcome


def _summary(tally: Tally, first: int, cpu_s: float) -> str:
    faults = ", ".join(f"{count} {kind}" for kind, count in tally.faults.most_common())
    recovery_s, seed = tally.slowest
    last = first + tally.schedules - 1
    return (
        f"no promise was broken in {tally.schedules} schedules, seeds {first} to {last}\n"
        f"{tally.rounds} rounds, {tally.rounds / cpu_s:.0f} a CPU second\n"
        f"{sum(tally.faults.values())} faults: {faults}\n"
        f"slowest recovery: {recovery_s:.1f} virtual s after the last fault was over (seed {seed})"
    )


def _failed(schedule: Schedule, error: Exception) -> int:
    """Say what was broken, and by how few faults of the schedule."""
    needless: list[int] = []
    for number in range(len(schedule.faults)):
        if _breaks(lambda: _tried(schedule.without([*needless, number]), 0)):  # noqa: B023  # called here
            needless.append(number)
    without = f" --without {','.join(map(str, needless))}" if needless else ""
    _say(
        f"seed {schedule.seed}: {type(error).__name__}: {error}\n"
        f"{len(schedule.faults) - len(needless)} of its {len(schedule.faults)} faults are needed. Replay: "
        f"python -m zfed.simulation.fuzz --seed {schedule.seed}{without}"
    )
    return 1


def _breaks(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except Exception:
        return True
    return False


def _replay(schedule: Schedule) -> int:
    run = schedule.config.run
    _say(f"seed {schedule.seed}: {len(schedule.examples)} workers, {run}")
    for fault in schedule.faults:
        _say(str(fault))
    try:
        outcome = perform(schedule, _say)
        perform_twice(schedule, outcome)
        perform_undisturbed(schedule, outcome)
    except Exception as error:
        _say(f"{type(error).__name__}: {error}")
        return 1
    _say(f"no promise was broken in {outcome.rounds} rounds, {outcome.seconds:.1f} virtual s")
    return 0


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
