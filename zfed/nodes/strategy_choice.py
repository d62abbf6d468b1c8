"""The strategy that a configuration asks for: one of zfed's, or a user's own."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from zfed.config import CoordinatorConfig, RunConfig
from zfed.config.tables import RUN
from zfed.errors import ConfigError
from zfed.plugins import PluginKind, settings_of
from zfed.strategies import STRATEGIES, GuardedStrategy, Strategy

KIND: Final = PluginKind(
    noun="strategy",
    base=Strategy,  # type: ignore[type-abstract]  # what is made is a class derived from it
    error=ConfigError,
    built_in={name: f"{each.__module__}:{each.__name__}" for name, each in STRATEGIES.items()},
    setting="option",
    flag="--option",
)

SHARED: Final = {
    setting.field: setting
    for setting in RUN.settings
    if setting.field in ("server_learning_rate", "server_momentum", "accumulator")
}
"""Settings of `[run]` that are options of many strategies."""

OWN_DEFAULT: Final = {"server_learning_rate": 0.0}
"""Values of `[run]` that stand for what the strategy itself has as its default."""


@dataclass(frozen=True)
class StrategyChoice:
    """A strategy, and how it was asked for.

    Attributes:
        name: As the configuration has it.
        strategy: Made, not started.
        options: The value of each parameter of its class, also of those that nobody gave.
    """

    name: str
    strategy: Strategy
    options: Mapping[str, Any]

    def words(self) -> str:
        """What it is, for people: name and options."""
        return ", ".join([self.name, *(f"{name} {value}" for name, value in self.options.items())])


def configured_strategy(config: CoordinatorConfig) -> StrategyChoice:
    """The strategy that `[run]` names, with the options that `[run]` and `[strategy]` have.

    Raises:
        ConfigError: If there is no such strategy, or its options are not such as its class takes.
    """
    run = config.run
    for option in config.strategy:
        if option in SHARED:
            raise ConfigError(f"option {option} stands in [run]: say {SHARED[option].flag}, not --option")
    parameters = settings_of(KIND.find(run.strategy))
    options = {**_from_run(run, parameters), **config.strategy}
    made = KIND.make(run.strategy, options)
    chosen = {name: options.get(name, parameter.default) for name, parameter in parameters.items()}
    if run.strategy not in STRATEGIES:
        made = GuardedStrategy(made, run.strategy)
    return StrategyChoice(run.strategy, made, chosen)


def strategy_lines() -> Iterator[str]:
    """What there is: each strategy by name, and its options as they are said, with their defaults."""
    for name, found in STRATEGIES.items():
        yield f"{name}: {_summary(found)}"
        for option, parameter in settings_of(found).items():
            said = f"{SHARED[option].flag} " if option in SHARED else f"--option {option}="
            value = "VALUE" if parameter.default is parameter.empty else parameter.default
            yield f"  {said}{value}: {_meaning(found, option)}"


def _from_run(run: RunConfig, parameters: Iterable[str]) -> dict[str, Any]:
    values = {name: getattr(run, name) for name in parameters if name in SHARED}
    return {name: value for name, value in values.items() if OWN_DEFAULT.get(name) != value}


def _summary(found: type[Strategy]) -> str:
    return (inspect.getdoc(found) or "").partition("\n")[0]


def _meaning(found: type[Strategy], option: str) -> str:
    """What its class says of a parameter under `Args:`, as one line."""
    lines = iter((inspect.getdoc(found) or "").partition("Args:\n")[2].splitlines())
    for line in lines:
        if line.strip().startswith(f"{option}: "):
            words = [line.strip().removeprefix(f"{option}: ")]
            indent = len(line) - len(line.lstrip())
            for more in lines:
                if not more.strip() or len(more) - len(more.lstrip()) <= indent:
                    break
                words.append(more.strip())
            return " ".join(words)
    return ""
