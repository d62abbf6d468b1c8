from __future__ import annotations

import gzip
import hashlib
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from zfed.data import DATASETS, Dataset
from zfed.data.catalog import DataFile


def idx_bytes(array: np.ndarray) -> bytes:
    return struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


@dataclass
class Tiny:
    """A registered data set of MNIST's scheme whose image files are a few pieces of 1 MiB long."""

    dataset: Dataset
    contents: dict[str, bytes]
    packed: dict[str, bytes]

    def write(self, folder: Path, *, packed: bool = False) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        for name in self.contents:
            if packed:
                (folder / f"{name}.gz").write_bytes(self.packed[name])
            else:
                (folder / name).write_bytes(self.contents[name])
        return folder


def make_tiny() -> Tiny:
    random = np.random.default_rng(0)
    contents, packed, files = {}, {}, {}
    for split, prefix, count in (("train", "train", 4000), ("test", "t10k", 1500)):
        arrays = {
            f"{prefix}-images-idx3-ubyte": np.repeat(
                random.integers(0, 256, (count, 28, 1), dtype=np.uint8), 28, axis=2
            ),
            f"{prefix}-labels-idx1-ubyte": random.integers(0, 10, count, dtype=np.uint8),
        }
        contents.update({name: idx_bytes(array) for name, array in arrays.items()})
        packed.update({name: gzip.compress(contents[name], compresslevel=1, mtime=0) for name in arrays})
        files[split] = tuple(
            DataFile(
                name=name,
                shape=array.shape,
                sha256=hashlib.sha256(contents[name]).hexdigest(),
                gzip_md5=hashlib.md5(packed[name]).hexdigest(),
            )
            for name, array in arrays.items()
        )
    dataset = Dataset(name="tiny", title="Ti-ny", classes=tuple("0123456789"), files=files, credit="nobody")
    return Tiny(dataset, contents, packed)


TINY = make_tiny()


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> Tiny:
    monkeypatch.setitem(DATASETS, "tiny", TINY.dataset)
    return TINY


@pytest.fixture
def kmnist_folder() -> Path:
    folder = Path(__file__).parents[3] / "../shared/data/kmnist"
    if not folder.is_dir():
        pytest.skip("the KMNIST test files are not beside this checkout")
    return folder
