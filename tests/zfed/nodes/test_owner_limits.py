import pytest

from zfed.nodes.owner_limits import Allowance, OwnerLimits


@pytest.mark.parametrize(
    ("limits", "epochs", "elapsed_s", "limited"),
    [
        (OwnerLimits(), 1e9, 1e9, ""),
        (OwnerLimits(max_epochs=0.5), 0.49, 1e9, ""),
        (OwnerLimits(max_epochs=0.5), 0.5, 0.0, "max-epochs"),
        (OwnerLimits(max_seconds=3), 1e9, 2.9, ""),
        (OwnerLimits(max_seconds=3), 0.1, 3.0, "max-seconds"),
        (OwnerLimits(max_epochs=1, max_seconds=3), 1.0, 3.0, "max-epochs"),
    ],
)
def test_work_ends_at_the_limit_that_is_reached_and_says_which(
    limits: OwnerLimits, epochs: float, elapsed_s: float, limited: str
) -> None:
    allowance = Allowance(limits, lambda: elapsed_s)
    assert allowance.should_finish(epochs) == bool(limited)
    assert allowance.limited == limited
