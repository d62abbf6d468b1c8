"""Model files, by whomever they were written."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from tests.fuzz.bytes_disk import BytesDisk
from tests.fuzz.target import Target
from zfed.checkpoint.safetensors_file import map_model, read_model
from zfed.checkpoint.safetensors_header import encode_header
from zfed.errors import CheckpointError
from zfed.params import ParameterBuffer, TensorKind

PATH: Final = Path("model.safetensors")


def read(data: bytes) -> None:
    """Read a model file in each way, and look at all its tensors."""
    model = read_model(PATH, disk=BytesDisk(data))
    assert model.data.nbytes <= len(data) + 64 * 2, "what a file takes follows from its length"
    assert sum(model[name].nbytes for name in model) <= len(data)
    moving = map_model(PATH, moving_only=True, disk=BytesDisk(data))
    assert all(moving[name].tobytes() == model[name].tobytes() for name in moving)


def seeds() -> list[bytes]:
    """A file as zfed writes it, one with frozen tensors, one by somebody else."""
    plain = ParameterBuffer.from_arrays({"w": np.arange(4, dtype=np.float32), "n": np.ones((), np.int64)})
    mixed = ParameterBuffer.from_arrays(
        {"w": np.zeros((2, 0)), "f": np.ones(3, np.float16)}, kinds={"f": TensorKind.FROZEN}
    )
    foreign = b'{"b":{"dtype":"BOOL","shape":[2],"data_offsets":[0,2]},"__metadata__":{"format":"pt"}}'
    return [
        *(
            encode_header(buffer.layout, {}) + buffer.moving.data.tobytes() + buffer.frozen.data.tobytes()
            for buffer in (plain, mixed)
        ),
        len(foreign).to_bytes(8, "little") + foreign + b"\x01\x00",
    ]


TARGET = Target("safetensors", read, (CheckpointError,), seeds)
