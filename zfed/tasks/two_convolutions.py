"""The network of the published MNIST demo: 431,080 parameters."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


class TwoConvolutions(nn.Module):
    """Two convolutions with pooling, one hidden layer; (b, 1, 28, 28) images to (b, classes) logits."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 20, kernel_size=5)
        self.conv2 = nn.Conv2d(20, 50, kernel_size=5)
        self.fc1 = nn.Linear(50 * 4 * 4, 500)
        self.fc2 = nn.Linear(500, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return one logit per class."""
        # Pooling first changes nothing, as relu is monotone, and leaves relu a quarter of the work
        x = functional.relu(functional.max_pool2d(self.conv1(images), 2))
        x = functional.relu(functional.max_pool2d(self.conv2(x), 2))
        x = functional.relu(self.fc1(x.flatten(1)))
        logits: Tensor = self.fc2(x)
        return logits
