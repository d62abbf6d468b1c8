import pytest
import torch

from zfed.errors import ConfigError
from zfed.torch.losses import LOSSES, named_loss

LOGITS = torch.tensor([[1.0, 2.0, 3.0], [0.0, 5.0, 0.0]])
CLASSES = torch.tensor([0, 1])


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_is_a_scalar_with_a_gradient(name: str) -> None:
    outputs = LOGITS.clone().requires_grad_()
    targets = CLASSES if name in ("cross-entropy", "nll") else torch.eye(3)[CLASSES]
    loss = named_loss(name)(outputs, targets)
    loss.backward()
    assert loss.shape == ()
    assert outputs.grad is not None
    assert outputs.grad.any()


def test_the_nll_of_log_probabilities_is_the_cross_entropy_of_logits() -> None:
    nll = named_loss("nll")(LOGITS.log_softmax(dim=1), CLASSES)
    assert nll.item() == pytest.approx(named_loss("cross-entropy")(LOGITS, CLASSES).item())


def test_an_unknown_loss_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="loss is 'cross_entropy'; did you mean \"cross-entropy\""):
        named_loss("cross_entropy")
