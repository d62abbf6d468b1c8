"""Updates in fewer bytes: a line names the level, the rest is what a worker sent at it."""

from __future__ import annotations

from typing import Final

import numpy as np

from tests.fuzz.target import Target
from zfed.compression import Encodings
from zfed.errors import ConfigError, Flaw, LayoutError, UpdateError
from zfed.nodes.coordinator_words import InspectUpdate
from zfed.nodes.encoded_updates import inspect
from zfed.params import ParameterBuffer
from zfed.strategies import Bounds

UPDATE: Final = ParameterBuffer.from_arrays(
    {"w": np.linspace(-1, 1, 40, dtype=np.float32), "v": np.zeros(7), "n": np.ones(3, np.int64)}
)
LEVELS: Final = ("bf16", "fp16", "int8", "topk:0.25")


def read(data: bytes) -> None:
    """Agree on the level, look at the update as the coordinator does, and decode it if that finds it good."""
    level, _, content = data.partition(b"\n")
    encoding = Encodings(UPDATE.layout).at(level.decode("latin-1"))
    if encoding is None:
        return
    job = InspectUpdate((1, 1), "", [(0, content)], encoding, Bounds(value_range=2.0))
    found = inspect(job).found
    if isinstance(found, Flaw):
        assert len(found.reason) < 1000
        raise UpdateError(found.reason, code=found.code)
    assert np.isfinite(encoding.decode(content)["w"]).all(), "what was found good is finite"


def seeds() -> list[bytes]:
    """One update at each level."""
    encodings = Encodings(UPDATE.layout)
    made = ((level, encodings.at(level)) for level in LEVELS)
    return [
        level.encode() + b"\n" + encoding.encode_once(UPDATE.moving, key=1).tobytes()
        for level, encoding in made
        if encoding is not None
    ]


TARGET = Target("encodings", read, (ConfigError, LayoutError, UpdateError), seeds)
