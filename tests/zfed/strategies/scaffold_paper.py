"""Quadratics that workers minimise together, and SCAFFOLD as its paper prints it (arXiv 1910.06378)."""

from dataclasses import dataclass

import numpy as np

SIZE = 5


@dataclass(frozen=True)
class Problem:
    """Worker i minimises sum of curvature_i (x - optimum_i)^2 / 2, with steps_i steps of size rate_i."""

    curvatures: np.ndarray
    optima: np.ndarray
    steps: tuple[int, ...]
    rates: tuple[float, ...]

    @classmethod
    def drawn(cls, seed, workers, steps=None, rates=None):
        rng = np.random.default_rng(seed)
        return cls(
            rng.uniform(0.5, 3.0, (workers, SIZE)),
            rng.uniform(-2.0, 2.0, (workers, SIZE)),
            steps or tuple(int(count) for count in rng.integers(1, 12, workers)),
            rates or tuple(float(rate) for rate in rng.uniform(0.02, 0.1, workers)),
        )

    def gradient(self, worker, x):
        return self.curvatures[worker] * (x - self.optima[worker])

    def optimum(self, weights):
        pull = weights[:, None] * self.curvatures
        return (pull * self.optima).sum(axis=0) / pull.sum(axis=0)


def paper(problem, cohorts, server_rate=1.0):
    """Algorithm 1 as it is printed, option II, in float64; yields (x, c) after each round."""
    workers = len(problem.steps)
    x, c = np.zeros(SIZE), np.zeros(SIZE)
    own = np.zeros((workers, SIZE))
    for cohort in cohorts:
        delta_y, delta_c = [], []
        for i in cohort:
            y = x.copy()
            for _ in range(problem.steps[i]):
                y = y - problem.rates[i] * (problem.gradient(i, y) - own[i] + c)
            new = own[i] - c + (x - y) / (problem.steps[i] * problem.rates[i])
            delta_y.append(y - x)
            delta_c.append(new - own[i])
            own[i] = new
        x = x + server_rate * np.mean(delta_y, axis=0)
        c = c + len(cohort) / workers * np.mean(delta_c, axis=0)
        yield x, c
