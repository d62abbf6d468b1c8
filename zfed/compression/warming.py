"""Compiling what compressed links need before it is needed."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from zfed.compression.encodings import Encodings
from zfed.params import ParameterBuffer


def warm_up(levels: Iterable[str]) -> None:
    """Compile the kernels of these levels, for instance while workers connect.

    Raises:
        ConfigError: If a level is unknown.
    """
    vector = ParameterBuffer.from_arrays({"w": np.ones(1, np.float32)})
    encodings = Encodings(vector.layout)
    for level in levels:
        encoding = encodings.at(level)
        if encoding is not None:
            data = encoding.encode_once(vector, key=0)
            encoding.decode(data)
            encoding.accumulate(data, lambda segment: np.zeros(segment.size), 1.0, 1.0)
