"""A setting: a field of a configuration record, with what a person and a parser need to know about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from typing import Any, Final, Literal, TypeAlias

from zfed.config.limits import ANY, Interval

DEFAULT_ADDRESS: Final = "tcp://127.0.0.1:8777"
FORMATS: Final = ("auto", "table", "lines", "json")

Resumed: TypeAlias = Literal["kept", "fixed", "anew"]
"""What a setting is when its run is resumed.

kept: the run's, unless this start gives another; fixed: the run's, and another is refused, for it would be
another run; anew: this start's alone.
"""

FIXED: Final = "fixed"
ANEW: Final = "anew"


def setting(
    default: Any,
    help: str,
    *,
    metavar: str = "",
    choices: Sequence[str] = (),
    limits: Interval = ANY,
    joined: bool = False,
    size: bool = False,
    resumed: Resumed = "kept",
    flag: str = "",
) -> Any:
    """A dataclass field with what a person and a parser need to know about it.

    Args:
        default: The value where nobody gives one; its type must be the field's.
        help: One line for `--help` and docs/configuration.md.
        metavar: Stands for the value in `--help`.
        choices: The only texts allowed, if not all are.
        limits: Where a number, or each number of a list, must lie.
        joined: A text for which TOML may also hold a number or a list of texts (joined by commas).
        size: A text that is empty or a number of bytes, as `200MB`; in TOML also a number.
        resumed: What it is when the run is resumed.
        flag: Its flag, with dashes, where that is not made from its key.
    """
    metadata = {
        "help": help,
        "metavar": metavar,
        "choices": tuple(choices),
        "limits": limits,
        "joined": joined,
        "size": size,
        "resumed": resumed,
        "flag": flag,
    }
    if isinstance(default, list):
        return field(default_factory=lambda: list(default), metadata=metadata)
    return field(default=default, metadata=metadata)
