"""Loading a split of a data set that is on this machine."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zfed.data.catalog import Split, default_root, find_dataset
from zfed.data.idx import read_idx
from zfed.data.verify import check_file
from zfed.errors import DataError


def load_split(
    name: str, split: Split, root: Path | None = None
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return images and labels of one split, verified.

    Both are read-only and mapped from the files: several nodes on one machine share one copy, and indexing
    with a worker's part copies that part alone.

    Args:
        name: A name in the catalog.
        split: "train" or "test".
        root: Folder for data sets; None is `default_root()`.

    Returns:
        Images (n, 28, 28) and labels (n,), both uint8.

    Raises:
        UsageError: If there is no such data set.
        DataError: If a file is missing, truncated or damaged.
    """
    dataset = find_dataset(name)
    root = default_root() if root is None else root
    images, labels = dataset.files[split]
    folder = dataset.folder(root)
    try:
        for file in (images, labels):
            check_file(folder / file.name, file)
    except DataError as error:
        raise DataError(f"{name}: {error}; run `zfed data get {name} --root {root}`") from None
    return read_idx(folder / images.name), read_idx(folder / labels.name)
