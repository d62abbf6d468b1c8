"""What an attack costs who is attacked: rounds without and with it, in turn, in one run."""

import statistics
import time
from contextlib import ExitStack
from dataclasses import dataclass

ROUNDS = 9
BLOCK = 3
"""Rounds at a time: three blocks without and three with the attack, so that both see the same machine."""


@dataclass(frozen=True)
class Cost:
    """Of nine rounds: median seconds, CPU seconds of the coordinator a second, memory that it grew by."""

    calm_s: float
    attacked_s: float
    calm_cpu: float
    attacked_cpu: float
    grown_bytes: int

    @property
    def longer(self):
        """A round under attack, of one without."""
        return self.attacked_s / self.calm_s

    @property
    def busier(self):
        """The coordinator under attack, of without."""
        return self.attacked_cpu / self.calm_cpu

    def __str__(self):
        return (
            f"round {self.calm_s:.2f} -> {self.attacked_s:.2f} s ({self.longer:.2f}), coordinator's CPU "
            f"{self.calm_cpu:.1%} -> {self.attacked_cpu:.1%} of a core ({self.busier:.2f}), "
            f"memory +{self.grown_bytes / 2**20:.1f} MiB"
        )


class Stretch:
    """Rounds of one kind, added up over their blocks."""

    def __init__(self, site):
        self.rounds_s = []
        self._site = site
        self._cpu_s = 0.0
        self._elapsed_s = 0.0

    @property
    def cpu(self):
        """CPU seconds a second."""
        return self._cpu_s / self._elapsed_s

    def block(self, make_attack=None):
        """A block of rounds, from before the attack begins until it is over."""
        began, cpu_s = time.monotonic(), self._site.cpu_s
        with ExitStack() as attacking:
            turn = attacking.enter_context(make_attack()).turn if make_attack else time.sleep
            self.rounds_s += self._site.timed_rounds(BLOCK, turn)
        self._cpu_s += self._site.cpu_s - cpu_s
        self._elapsed_s += time.monotonic() - began


def cost_of(make_attack, site):
    """Measure an attack.

    Args:
        make_attack: Begins one; a context manager with `turn(wait_s)`, which is called again and again.
        site: Whom it attacks.
    """
    calm, attacked = Stretch(site), Stretch(site)

    def blocks():
        for _ in range(ROUNDS // BLOCK):
            calm.block()
            attacked.block(make_attack)

    grown = site.peak_growth(blocks)
    return Cost(
        calm_s=statistics.median(calm.rounds_s),
        attacked_s=statistics.median(attacked.rounds_s),
        calm_cpu=calm.cpu,
        attacked_cpu=attacked.cpu,
        grown_bytes=grown,
    )
