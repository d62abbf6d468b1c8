"""How fast a fleet's devices and links are: profiles, each drawn from one number.

The numbers are plain ones of boards and phones, not measurements of yours. What matters for comparing
schedules is how much the devices of a fleet differ, and how long a model takes on a link.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from zfed.config import suggestion
from zfed.errors import UsageError

MB: Final = 1e6


@dataclass(frozen=True, kw_only=True)
class Device:
    """A machine that trains, and its link.

    Attributes:
        example_s: Seconds of training for each example that a batch holds.
        up: Bytes a second that it can send.
        down: Bytes a second that can come to it.
        delay_s: What a message takes besides, either way.
        here_s: Mean time for which it can be reached at a stretch; infinite: always.
        away_s: Mean time for which it then cannot. It goes on working meanwhile.
    """

    example_s: float = 0.005
    up: float = 10 * MB
    down: float = 10 * MB
    delay_s: float = 0.01
    here_s: float = math.inf
    away_s: float = 0.0


Fleet: TypeAlias = Callable[[int, random.Random], list[Device]]
"""Makes so many devices, from a generator of its own."""


@dataclass(frozen=True)
class Profile:
    """A kind of fleet, and its distribution in words."""

    words: str
    fleet: Fleet


def _uniform(count: int, draw: random.Random) -> list[Device]:
    return [Device() for _ in range(count)]


def _one_slow(count: int, draw: random.Random) -> list[Device]:
    return [Device(example_s=10 * Device.example_s), *_uniform(count - 1, draw)]


def _slow_tail(count: int, draw: random.Random) -> list[Device]:
    return [Device(example_s=Device.example_s * draw.lognormvariate(0.0, 1.0)) for _ in range(count)]


def _phones(count: int, draw: random.Random) -> list[Device]:
    return [
        Device(
            example_s=Device.example_s * draw.lognormvariate(0.0, 1.0),
            up=0.5 * MB * draw.lognormvariate(0.0, 0.7),
            down=2.0 * MB * draw.lognormvariate(0.0, 0.7),
            delay_s=0.05,
            here_s=300.0,
            away_s=100.0,
        )
        for _ in range(count)
    ]


PROFILES: Final[Mapping[str, Profile]] = {
    "uniform": Profile("all alike: 200 examples a second, 10 MB/s either way, 10 ms", _uniform),
    "one-slow": Profile("as uniform, but the first worker trains 10 times slower", _one_slow),
    "slow-tail": Profile(
        "training speeds log-normal (sigma 1): of 100 workers the slowest takes some 10 times the median",
        _slow_tail,
    ),
    "phones": Profile(
        "as slow-tail, with links log-normal (sigma 0.7) around 0.5 MB/s up and 2 MB/s down, 50 ms; each is "
        "in reach for 300 s and then away for 100 s, both exponential",
        _phones,
    ),
}
"""Profiles by name. Speeds vary by 10 % from one piece of work to the next in all of them."""


def draw_fleet(profile: str, count: int, seed: int) -> list[Device]:
    """The devices of a profile: the same for the same arguments.

    Raises:
        UsageError: If there is no such profile.
    """
    if profile not in PROFILES:
        raise UsageError(f'unknown profile "{profile}"; {suggestion(profile, PROFILES)}')
    return PROFILES[profile].fleet(count, random.Random(f"profile:{profile}:{seed}"))


def draw_absences(device: Device, draw: random.Random, until: float) -> list[tuple[float, float]]:
    """When a device is away: (from, to), ascending, beginning before `until`; in reach at 0."""
    absences: list[tuple[float, float]] = []
    now = 0.0
    while device.here_s < math.inf:
        away_at = now + draw.expovariate(1 / device.here_s)
        if away_at >= until:
            break
        now = away_at + draw.expovariate(1 / device.away_s)
        absences.append((away_at, now))
    return absences
