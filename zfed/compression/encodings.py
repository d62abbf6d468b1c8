"""The encodings of one layout, by level."""

from __future__ import annotations

from collections.abc import Iterable

from zfed.compression.encoding import Encoding
from zfed.compression.registry import create_codec
from zfed.params import ParameterLayout


class Encodings:
    """Makes each encoding of a layout once: both ends of a link make the same from what they agreed on.

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
            self._made[level] = Encoding(self.layout, codec, exact=self.exact)
        return self._made[level]
