from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray


def tiny_split(
    name: str, split: str, root: Path | None = None
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """60 or 20 images of noise, each with one bright stripe whose height is the label."""
    random = np.random.default_rng(["train", "test"].index(split))
    labels = np.arange(60 if split == "train" else 20, dtype=np.uint8) % 10
    images = random.integers(0, 60, (labels.size, 28, 28), np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[2 * label + 4 : 2 * label + 6] = 255
    images.flags.writeable = False  # as a mapped file is
    return images, labels


@pytest.fixture
def tiny_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """A data set of a few kilobytes in place of the files; tests marked mnist use the real ones."""
    for module in ("image_classifier", "softmax", "torchvision_classifier"):
        monkeypatch.setattr(f"zfed.tasks.{module}.load_split", tiny_split)
