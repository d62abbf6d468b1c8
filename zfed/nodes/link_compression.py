"""At what level the bytes of each link travel: what the run wants, what a node wants, what both can do."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from zfed.compression import (
    COMPRESSION,
    Encoding,
    Encodings,
    checked_level,
    checked_model_level,
    family,
    matched,
)
from zfed.config import NodeConfig, RunConfig
from zfed.errors import ConfigError, LayoutError, LocalProtocolError
from zfed.nodes.admission import Objection
from zfed.params import ParameterLayout
from zfed.strategies import Needs
from zfed.wire.messages import Hello, Patterns


class Levels(NamedTuple):
    """What was agreed on with one node; "none": as they are."""

    updates: str = "none"
    model: str = "none"


class LinkEncodings(NamedTuple):
    """The same as encodings of the run's layout; None: as they are."""

    updates: Encoding | None = None
    model: Encoding | None = None


class RunCompression:
    """What the links of one run are compressed with.

    Args:
        config: Table `[run]`.
        needs: Of the strategy.

    Raises:
        ConfigError: If a level is unknown, makes no sense for a model or does not go with the strategy, or if
            more names are to stay exact than a WELCOME can hold.
    """

    def __init__(self, config: RunConfig, needs: Needs | None = None) -> None:
        self._needs = needs or Needs()
        self.levels = Levels(
            _named("compress", config.compress, checked_level),
            _named("compress_model", config.compress_model, checked_model_level),
        )
        if wanted := self._wanted_instead(self.levels.updates):
            raise ConfigError(
                f"--compress: strategy {self._needs.strategy} needs updates {wanted}, not as "
                f'"{self.levels.updates}": choose none, or another strategy. --compress-model is possible'
            )
        try:
            self.exact = tuple(msgspec.convert(config.compress_except, Patterns))
        except msgspec.ValidationError as error:
            raise ConfigError(f"--compress-except: {error}") from None
        self._encodings: Encodings | None = None

    def memory(self, layout: ParameterLayout) -> int:
        """Bytes of models in encoded form: of a version, and of the one before while it is still read.

        Raises:
            LayoutError: If something is to stay exact that is not there.
        """
        encoding = Encodings(layout, self.exact).at(self.levels.model)
        return 2 * encoding.nbytes if encoding is not None else 0

    def agree(self, hello: Hello) -> Levels | Objection:
        """The levels of a node's link: its own wish goes before the run's.

        An evaluator sends no updates, and gets exact models unless it wishes otherwise.
        """
        works = hello.node_kind == "worker"
        run, wish = (self.levels, hello.compress) if works else (Levels(), "")
        try:
            levels = Levels(
                checked_level(wish) if wish else run.updates,
                checked_model_level(hello.compress_model) if hello.compress_model else run.model,
            )
        except ConfigError as error:
            return Objection(
                "compression",
                f"{hello.node} wishes what is not known here: {error}; known here: {', '.join(COMPRESSION)}. "
                "Choose one of these with --compress or --compress-model, or leave it to the run",
            )
        if wanted := self._wanted_instead(levels.updates):
            return Objection(
                "compression",
                f'{hello.node} wishes its updates as "{levels.updates}", strategy {self._needs.strategy} '
                f"needs them {wanted}: start it with --compress none",
            )
        for flag, level in (("--compress", levels.updates), ("--compress-model", levels.model)):
            if level != "none" and family(level) not in hello.compression:
                return Objection(
                    "compression",
                    f'{hello.node} does not know compression "{level}", it knows '
                    f"{', '.join(hello.compression)}: start it with {flag} none, or with a newer zfed",
                )
        return levels

    def _wanted_instead(self, level: str) -> str:
        """How the strategy needs updates, if it cannot use those of this level; empty if it can."""
        if self._needs.exact and level != "none":
            return "as they are"
        if self._needs.dense and family(level) == "topk":
            return "with all of their numbers"
        return ""

    def lay_out(self, layout: ParameterLayout) -> None:
        """Take the run's layout, which the first node tells.

        Raises:
            ConfigError: If something is to stay exact that is not there.
        """
        try:
            matched(layout.moving, self.exact)
        except LayoutError as error:
            raise ConfigError(f"--compress-except: {error}") from None
        self._encodings = Encodings(layout, self.exact)

    def encodings(self, hello: Hello) -> LinkEncodings | Objection:
        """How the vectors of a node's link are encoded, if its task allows that; the layout is known."""
        levels = self.agree(hello)
        if isinstance(levels, Objection):
            return levels
        if self._encodings is None:
            raise LocalProtocolError("a node is admitted before the run has a layout")
        link = LinkEncodings(*map(self._encodings.at, levels))
        for what, flag, encoding in (
            ("updates", "--compress", link.updates),
            ("models", "--compress-model", link.model),
        ):
            if objection := encoding and _exactness(hello, what, flag, encoding):
                return objection
        return link


def check_wishes(config: NodeConfig) -> None:
    """Make sure that what a node wishes for its link can be.

    Raises:
        ConfigError: If a level is unknown, or makes no sense for a model.
    """
    if config.compress:
        _named("compress", config.compress, checked_level)
    if config.compress_model:
        _named("compress_model", config.compress_model, checked_model_level)


def _named(key: str, name: str, checked: Callable[[str], str]) -> str:
    """A level that somebody configured, as its codec spells it.

    Raises:
        ConfigError: If `checked` refuses it; says which setting it was.
    """
    try:
        return checked(name)
    except ConfigError as error:
        raise ConfigError(f"--{key.replace('_', '-')}: {error}") from None


def _exactness(hello: Hello, what: str, flag: str, encoding: Encoding) -> Objection | None:
    """A task's word on what must stay exact goes before everybody's wish for fewer bytes."""
    if not hello.exact:
        return None
    try:
        tensor = encoding.touched(hello.exact)
    except LayoutError as error:
        return Objection("compression", f"{hello.node}: {error}")
    if not tensor:
        return None
    return Objection(
        "compression",
        f"the task of {hello.node} says that tensor {tensor!r} must stay exact, but {what} would be "
        f'compressed as "{encoding.level}": start {hello.node} with {flag} none, or the coordinator with '
        f"--compress-except {tensor}",
    )
