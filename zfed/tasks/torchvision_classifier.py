"""Task `torchvision`: any of torchvision's classification networks, on any of zfed's image data sets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import interpolate

from zfed.config.nearest import suggestion
from zfed.data import Split, default_root, find_dataset, import_torchvision, load_split
from zfed.errors import ConfigError, TaskError
from zfed.task import Setup
from zfed.tasks.grey_images import GreyImages
from zfed.torch import TorchClassifier

AUXILIARY_OUTPUTS = ("googlenet", "inception_v3")
"""Networks that give more than logits while they train."""


class EnlargedGreyImages(GreyImages):
    """Grey images as (b, 3, 32, 32): what an unchanged network for colour photographs takes."""

    def batch(self, indices: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Normalised images, the same in all three channels, and labels."""
        images, labels = super().batch(indices)
        # 28 pixels are too few for networks that halve the image five times
        enlarged = interpolate(images, size=(32, 32), mode="bilinear", antialias=False)
        return enlarged.expand(-1, 3, -1, -1), labels


class TorchvisionClassifier(TorchClassifier):
    """One of torchvision's classification networks, untrained and unchanged but for the number of classes.

    Args:
        model: torchvision's name of it, for instance resnet18, mobilenet_v3_small.
        dataset: mnist, fashion-mnist or kmnist.
        root: Folder of the data sets; default: $ZFED_DATA, or data.
        local: As in `TorchTask`; "bn*" keeps a ResNet's batch-norm on the node.

    Raises:
        ConfigError: If torchvision has no such network, or one with auxiliary outputs is asked for.
        TaskError: If torchvision is not installed.
    """

    classes = 10

    def __init__(
        self, *, model: str = "resnet18", dataset: str = "mnist", root: str = "", local: str = ""
    ) -> None:
        super().__init__(local=local)
        torchvision = import_torchvision()
        if torchvision is None:
            raise TaskError("task 'torchvision' needs torchvision: pip install 'zfed[torch]'")
        self._models = torchvision.models
        known = self._models.list_models(module=self._models, exclude=AUXILIARY_OUTPUTS)
        if model not in known:
            raise ConfigError(f"torchvision has no usable classifier {model!r}; {suggestion(model, known)}")
        self.model = model
        self.dataset = find_dataset(dataset).name
        self.root = Path(root) if root else default_root()

    def module(self) -> nn.Module:
        """The network, freshly initialised."""
        network: nn.Module = self._models.get_model(self.model, weights=None, num_classes=self.classes)
        return network

    def data(self, setup: Setup) -> GreyImages:
        """Training images for a worker, test images for an evaluator."""
        split: Split = "train" if setup.kind == "worker" else "test"
        images, labels = load_split(self.dataset, split, self.root)
        # Half of the range of pixels: near enough for networks with batch-norm, and right for every data set
        return EnlargedGreyImages(images, labels, mean=0.5, deviation=0.5)
