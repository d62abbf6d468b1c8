"""A strategy of one's own: each number moves one step where most updates point.

signSGD with majority vote: Bernstein et al., "signSGD: Compressed Optimisation for Non-Convex Problems",
arXiv 1802.04434, algorithm 2. A worker cannot move the model by more than its vote, whatever it sends.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from zfed.strategies import ArrayStrategy, Contribution


class MajorityVote(ArrayStrategy):
    """Moves each number by `step`, up, down or not at all.

    Args:
        step: How far, in the units of the model.
        by_examples: A vote counts as much as its worker has examples.
    """

    def __init__(self, *, step: float = 0.01, by_examples: bool = False) -> None:
        super().__init__()
        self.step = step
        self.by_examples = by_examples

    def combine(
        self, updates: Sequence[tuple[Contribution, Mapping[str, np.ndarray]]]
    ) -> dict[str, np.ndarray]:
        """How far each tensor moves."""
        votes = [update.examples if self.by_examples else 1 for update, _ in updates]
        moved = {}
        for name in updates[0][1]:
            signs = [vote * np.sign(delta[name]) for vote, (_, delta) in zip(votes, updates, strict=True)]
            moved[name] = self.step * np.sign(np.sum(signs, axis=0))
        return moved
