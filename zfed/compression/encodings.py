"""The encodings of one layout, by level."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from zfed.compression.encoding import Encoding
from zfed.compression.registry import create_codec
from zfed.params import ParameterLayout

MOST_KEPT: Final = 16
"""There are as many levels as there are ratios of top-k, and nodes choose theirs."""


class Encodings:
    """Makes each encoding of a layout once: both ends of a link make the same from what they agreed on.

    Keeps the latest few; who uses one holds it.

    Args:
        layout: Of a model.
        exact: Names or shell patterns of tensors that must stay exact.
    """

    def __init__(self, layout: ParameterLayout, exact: Iterable[str] = ()) -> None:
        self.layout = layout
        self.exact = tuple(exact)
        self._made: dict[str, Encoding] = {}

    def at(self, level: str) -> Encoding | None:
        """How vectors travel at a level; None for "none": as they are.

        Raises:
            ConfigError: If the level is unknown.
            LayoutError: If something is to be encoded, and a pattern of `exact` fits no tensor.
        """
        if level not in self._made:
            codec = create_codec(level)
            if codec is None:
                return None
            if len(self._made) == MOST_KEPT:
                del self._made[next(iter(self._made))]
            self._made[level] = Encoding(self.layout, codec, exact=self.exact)
        return self._made[level]
