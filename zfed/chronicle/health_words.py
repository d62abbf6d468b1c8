"""What a coordinator's health.json means, in sentences."""

from __future__ import annotations

from typing import Final

from zfed.checkpoint import Health
from zfed.telemetry.wording import names, plural

STALE_S: Final = 10.0
"""Five times what passes between two signs of life."""


def ailments(health: Health, now: float) -> list[str]:
    """What is wrong; empty if all is well. `now` is in seconds since 1970."""
    silent_s = now - health.at
    if silent_s > STALE_S:
        return [f"no sign of life for {silent_s:.0f} s (process {health.pid})", *health.troubles]
    return list(health.troubles)


def condition(health: Health) -> str:
    """How it was at its last sign of life, on one line."""
    model = f"version {health.version}" if health.version >= 0 else "no model yet"
    here = f"{plural(len(health.nodes), 'node')} here" + (f" ({names(health.nodes)})" if health.nodes else "")
    keys = "encrypted" if health.encrypted else "NOT encrypted"
    return f"run {health.run}: round {health.round}, {model}, {here}, {keys}"
