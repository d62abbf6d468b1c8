"""Codecs by the name a configuration gives them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from zfed.compression.codec import Codec
from zfed.compression.halves import BFloat16, Float16
from zfed.compression.int8 import Int8
from zfed.compression.top_k import TopK
from zfed.config.nearest import suggestion
from zfed.errors import ConfigError

_CODECS: Final[dict[str, Callable[[], Codec] | None]] = {
    "none": None,
    "bf16": BFloat16,
    "fp16": Float16,
    "int8": Int8,
}
COMPRESSION: Final = (*_CODECS, "topk:RATIO")
"""What `create_codec` knows; RATIO stands for a number above 0 and at most 1."""
FAMILIES: Final = (*_CODECS, "topk")
"""What a node says that it can decode and encode: names without their arguments."""


def create_codec(name: str) -> Codec | None:
    """The codec of this name; None for "none".

    Raises:
        ConfigError: If there is none of this name, which tells the nearest, or a ratio is out of range.
    """
    kind, colon, argument = name.partition(":")
    if kind == "topk":
        return TopK(_ratio(name, argument))
    if colon or kind not in _CODECS:
        raise ConfigError(f'compression "{name}" is unknown: {suggestion(name, COMPRESSION)}')
    create = _CODECS[kind]
    return create() if create else None


def checked_level(name: str) -> str:
    """A level as its codec spells it, so that equal levels have equal names: topk:0.010 is topk:0.01.

    Raises:
        ConfigError: As `create_codec`.
    """
    codec = create_codec(name)
    return codec.name if codec else "none"


def checked_model_level(name: str) -> str:
    """A level that a whole model can be sent at, as its codec spells it.

    Raises:
        ConfigError: As `create_codec`, and for top-k.
    """
    level = checked_level(name)
    if family(level) == "topk":
        raise ConfigError(
            f'compression "{name}" makes no sense for a model: all values but the largest would become 0; '
            "choose none, bf16, fp16 or int8"
        )
    return level


def family(level: str) -> str:
    """The level's name without its argument, as in `FAMILIES`."""
    return level.partition(":")[0]


def _ratio(name: str, text: str) -> float:
    try:
        ratio = float(text)
    except ValueError:
        ratio = 0.0
    if not 0 < ratio <= 1:  # NaN is not
        raise ConfigError(
            f'compression "{name}": expected a ratio above 0 and at most 1, for instance topk:0.01'
        )
    return ratio
