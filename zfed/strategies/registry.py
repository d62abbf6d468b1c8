"""Strategies by the name a configuration gives them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Final

from zfed.config.nearest import suggestion
from zfed.errors import ConfigError
from zfed.strategies.base import Strategy
from zfed.strategies.mean import FedAvg
from zfed.strategies.server_optimizer import FedAvgM

STRATEGIES: Final[dict[str, Callable[..., Strategy]]] = {"fedavg": FedAvg, "fedavgm": FedAvgM}


def strategy_options(name: str) -> frozenset[str]:
    """The options that the strategy of this name takes.

    Raises:
        ConfigError: If there is none of this name; it tells the nearest.
    """
    if name not in STRATEGIES:
        raise ConfigError(f'strategy "{name}" is unknown: {suggestion(name, STRATEGIES)}')
    return frozenset(inspect.signature(STRATEGIES[name]).parameters)


def create_strategy(name: str, **options: Any) -> Strategy:
    """A new strategy.

    Raises:
        ConfigError: If the name or an option is unknown, which tells the nearest, or a value is out of range.
    """
    known = strategy_options(name)
    for option in options:
        if option not in known:
            raise ConfigError(
                f'strategy "{name}" has no option "{option}": {suggestion(option, sorted(known))}'
            )
    return STRATEGIES[name](**options)
