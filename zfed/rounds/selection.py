"""Who of those here is asked: a pure function of the run's seed, the round and the attempt at it.

Every worker gets a number u in (0, 1) of its own, from a hash of the seed, the round, the attempt and its
name. All rules compare such numbers, so who is drawn depends neither on the order in which workers came nor
on a library's random generator, and a run that is resumed draws the same.

- uniform: the smallest u of all, so each set of `wanted` workers is as likely as any other.
- size: the smallest -ln(u) / w, w being a worker's examples: one after another without replacement, each
  time with probabilities proportional to w (Efraimidis and Spirakis 2006, algorithm A; here on the scale
  of logarithms).
- poisson: everybody with u < q, each for itself. The rate q is never changed. A draw of fewer than
  `least` workers is made again, and `Drawn.draws` says so: of what is then drawn, each worker is part with a
  probability above q (with `least` = 1 of q / (1 - (1 - q)^n)).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from zfed.config import SelectConfig
from zfed.config.amount import Amount
from zfed.engine import NodeReady
from zfed.errors import ConfigError
from zfed.rounds.schedule import Schedule

MOST_DRAWS: Final = 1000
"""Of a Poisson cohort: who draws too few so often has asked for what hardly ever happens."""


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """Who is asked, in the order of their names, of how many `candidates`, and after how many `draws`.

    More than one draw is Poisson's; none means that nothing was drawn.
    """

    workers: tuple[NodeReady, ...] = ()
    candidates: int = 0
    draws: int = 0


class Selection:
    """Draws the cohorts of one run.

    Args:
        config: Table `[select]`.
        seed: The run's.

    Raises:
        ConfigError: If the settings contradict each other.
    """

    def __init__(self, config: SelectConfig, seed: int) -> None:
        self._cohort = Amount.parse(config.cohort, "--cohort") if config.cohort else None
        self._rule = config.rule
        self._seed = seed
        self._rate = 0.0
        if config.rule == "poisson":
            self._rate = _rate(self._cohort)
        elif config.rule != "uniform" and self._cohort is None:
            raise ConfigError(
                f"--select-by {config.rule} without --cohort asks everybody: say how many are asked, or "
                "leave it away"
            )
        self._least = config.min_cohort

    def check(self, schedule: Schedule) -> None:
        """Refuse what cannot go together with this schedule.

        Raises:
            ConfigError: If it cannot.
        """
        if self._rate and (schedule.carries or schedule.oversampling > 1):
            raise ConfigError(
                f"--select-by poisson draws a cohort for each round, but --schedule {schedule.kind} "
                f"{'goes on with workers of the round before' if schedule.carries else 'asks for more'}: "
                "select uniform, or use sync, or quorum with --late refuse"
            )
        count = self._cohort.count if self._cohort else None
        if count is not None and count < self._least and not schedule.joins:  # where it is only a limit
            raise ConfigError(
                f"--cohort {count} is fewer than --min-cohort {self._least}: ask for as many, or allow fewer"
            )

    def wanted(self, candidates: int) -> int | None:
        """How many of so many workers make a cohort; None: all, or (poisson) as many as are drawn."""
        if self._cohort is None or self._rate:
            return None
        return self._cohort.count or max(self._cohort.of(candidates), self._least)

    def choose(
        self,
        candidates: Sequence[NodeReady],
        *,
        round: int,
        attempt: int,
        wanted: int | None,
        least: int = 1,
    ) -> Drawn:
        """Draw the cohort of an attempt at a round.

        Args:
            candidates: Whoever may be asked.
            round: Of the run.
            attempt: At that round; each draws anew.
            wanted: How many are to be asked; None: all, or as the rule has it. A rule that draws each worker
                for itself takes no heed of it.
            least: Fewest that a cohort may have; there are at least as many candidates.

        Raises:
            ConfigError: If poisson drew fewer than `least` workers again and again.
        """
        place = f"{self._seed}:{round}:{attempt}"
        by_name = sorted(candidates, key=lambda node: node.node)
        if self._rate:
            return self._poisson(by_name, place, least)
        if wanted is None or wanted >= len(by_name):
            return Drawn(workers=tuple(by_name), candidates=len(by_name), draws=1)
        rank = _by_size if self._rule == "size" else _by_lot
        ranks = {node.node: (rank(_lot(place, node.node), node), node.node) for node in by_name}
        chosen = set(sorted(ranks, key=ranks.__getitem__)[:wanted])
        drawn = tuple(node for node in by_name if node.node in chosen)
        return Drawn(workers=drawn, candidates=len(by_name), draws=1)

    def _poisson(self, by_name: list[NodeReady], place: str, least: int) -> Drawn:
        for draw in range(MOST_DRAWS):
            drawn = [node for node in by_name if _lot(f"{place}:{draw}", node.node) < self._rate]
            if len(drawn) >= least:
                return Drawn(workers=tuple(drawn), candidates=len(by_name), draws=draw + 1)
        raise ConfigError(
            f"{MOST_DRAWS} draws, of {self._rate:.4%} of {len(by_name)} workers each, were all of fewer than "
            f"{least}: a larger --cohort, more workers or a smaller --min-cohort would do"
        )


def _rate(cohort: Amount | None) -> float:
    """The probability q of a Poisson draw."""
    if cohort is None or cohort.share is None:
        given = "no --cohort" if cohort is None else f"--cohort {cohort.count}"
        raise ConfigError(
            f"--select-by poisson with {given}: each worker is drawn for itself, so give the probability, "
            "as --cohort 10%, or select uniform"
        )
    return float(cohort.share)


def _lot(place: str, name: str) -> float:
    """A number in (0, 1), uniform over all places and names."""
    digest = hashlib.sha256(f"{place}:{name}".encode()).digest()
    return ((int.from_bytes(digest[:8], "little") >> 12) + 0.5) / 2.0**52  # odd / 2^53: neither 0 nor 1


def _by_lot(lot: float, node: NodeReady) -> float:
    return lot


def _by_size(lot: float, node: NodeReady) -> float:
    return -math.log(lot) / max(node.examples, 1)
