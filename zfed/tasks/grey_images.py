"""28 x 28 grey images as bytes, made into normalised float batches only when asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class GreyImages:
    """Images with labels; bytes take a quarter of the memory of floats, which counts on a small board.

    Attributes:
        images: (n, height, width) uint8.
        targets: (n,) integer labels.
        mean: Mean of all training pixels, as a share of 255.
        deviation: Their standard deviation, likewise.
    """

    images: NDArray[np.uint8]
    targets: NDArray[Any]
    mean: float
    deviation: float

    def __len__(self) -> int:
        return len(self.images)

    def batch(self, indices: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Normalised images (b, 1, height, width) float32 and labels (b,) int64."""
        pixels = torch.from_numpy(self.images[indices]).unsqueeze(1).float()
        labels = torch.from_numpy(self.targets[indices].astype(np.int64))
        return pixels.div_(255).sub_(self.mean).div_(self.deviation), labels
