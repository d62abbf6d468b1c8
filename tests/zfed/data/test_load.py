from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from zfed.data import get_dataset, load_split
from zfed.errors import DataError, UsageError


def test_a_split_is_images_and_labels(tiny, tmp_path):
    get_dataset("tiny", tmp_path, folder=tiny.write(tmp_path / "given"))
    images, labels = load_split("tiny", "train", tmp_path)
    assert (images.shape, images.dtype) == ((4000, 28, 28), np.uint8)
    assert (labels.shape, labels.dtype) == ((4000,), np.uint8)
    assert images.tobytes() == tiny.contents["train-images-idx3-ubyte"][16:]
    assert labels.tobytes() == tiny.contents["train-labels-idx1-ubyte"][8:]


def test_loading_takes_no_copy_and_allows_no_write(tiny, tmp_path):
    get_dataset("tiny", tmp_path, folder=tiny.write(tmp_path / "given"))
    load_split("tiny", "train", tmp_path)
    tracemalloc.start()
    images, _ = load_split("tiny", "train", tmp_path)
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken < images.nbytes / 10
    with pytest.raises(ValueError, match="read-only"):
        images[0, 0, 0] = 1


def test_missing_and_damaged_files_are_named_with_the_remedy(tiny, tmp_path):
    remedy = rf"run `zfed data get tiny --root {tmp_path}`"
    with pytest.raises(DataError, match=f"^tiny: .*train-images-idx3-ubyte is missing; {remedy}"):
        load_split("tiny", "train", tmp_path)
    target = get_dataset("tiny", tmp_path, folder=tiny.write(tmp_path / "given"))
    (target / "train-labels-idx1-ubyte").write_bytes(bytes(tiny.dataset.files["train"][1].size))
    with pytest.raises(DataError, match=f"train-labels-idx1-ubyte is damaged: its sha256.*; {remedy}"):
        load_split("tiny", "train", tmp_path)
    (target / "train-labels-idx1-ubyte").write_bytes(b"")
    with pytest.raises(DataError, match="is truncated"):
        load_split("tiny", "train", tmp_path)


def test_an_unknown_data_set_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="unknown data set"):
        load_split("cifar", "train", tmp_path)


@pytest.mark.mnist
def test_mnist_is_what_everybody_knows():
    root = Path(__file__).parents[3] / "data"
    if not (root / "MNIST" / "raw").is_dir():
        pytest.skip("MNIST is not here: zfed data get mnist")
    images, labels = load_split("mnist", "train", root)
    assert images.shape == (60_000, 28, 28)
    assert np.bincount(labels).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    images, labels = load_split("mnist", "test", root)
    assert images.shape == (10_000, 28, 28)
    assert np.bincount(labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
