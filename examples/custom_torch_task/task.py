"""Three spiral arms, told apart by a small network: a PyTorch task of one's own, data included."""

import torch
from torch import Tensor, nn

from zfed.task import Setup
from zfed.torch import TorchClassifier


class MyTask(TorchClassifier):
    """Points in the plane; the class is the arm that a point belongs to.

    Args:
        noise: Standard deviation of a point from its arm; try `--set noise=0.05` at one worker.
        hidden: Width of the network, the same on every node.
    """

    classes = 3

    def __init__(self, *, noise: float = 0.02, hidden: int = 32) -> None:
        super().__init__()
        self.noise = noise
        self.hidden = hidden

    def module(self) -> nn.Module:
        """Two hidden layers with batch normalisation."""
        return nn.Sequential(
            nn.Linear(2, self.hidden),
            nn.BatchNorm1d(self.hidden),
            nn.ReLU(),
            nn.Linear(self.hidden, self.hidden),
            nn.ReLU(),
            nn.Linear(self.hidden, self.classes),
        )

    def data(self, setup: Setup) -> tuple[Tensor, Tensor]:
        """Return 3,000 points to train on, or 1,000 others to test on.

        Yours would read files here. Return all of this machine's data: `--labels` and `--partition` are
        applied afterwards.
        """
        count, seed = (3000, 1) if setup.kind == "worker" else (1000, 2)
        random = torch.Generator().manual_seed(seed)
        arms = torch.arange(count) % self.classes
        radius = torch.rand(count, generator=random).sqrt()
        angle = 4 * radius + arms * (2 * torch.pi / self.classes)
        points = torch.stack([radius * angle.cos(), radius * angle.sin()], dim=1)
        return points + self.noise * torch.randn(count, 2, generator=random), arms
