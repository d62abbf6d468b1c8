"""Choose the settings of the recipe `best`, without a network: the same tasks, a plain loop around them.

    python tools/choose_best_recipe.py                        # about 15 minutes on one core
    python tools/choose_best_recipe.py --test squared-small   # one on the test set: about 7 minutes

Candidates are compared on 10,000 of the 60,000 training images, which no worker sees here, by successive
halving: all run with one seed, the better half of those with another one too, and so on. The test set, and
the seeds that are reported, are touched by `--test` alone. docs/best-recipe.md keeps a record.
"""

# ruff: noqa: T201  # what a tool prints is what it is for

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from zfed.params import ParameterBuffer
from zfed.partition import Partition
from zfed.task import Context, NodeKind, Setup
from zfed.tasks.grey_images import GreyImages
from zfed.tasks.mnist import Mnist

ROUNDS = 40
LABELS = ("0-3", "4-6", "7-9")
SEARCH_SEEDS = (101, 102, 103)
REPORTED_SEEDS = (1, 2, 3, 4, 5)
HELD_OUT = np.random.default_rng(777).permutation(60_000)[:10_000]
"""Training images on which candidates are compared."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """Settings beyond 50 batches of 32 and weights by examples.

    Attributes:
        name: What is tried.
        train: Keys of the `[train]` table.
        server_momentum: Of FedAvgM; 0 is FedAvg.
    """

    name: str
    train: dict[str, Any]
    server_momentum: float

    @property
    def table(self) -> dict[str, Any]:
        """The whole `[train]` table."""
        return {"batches": 50, "batch_size": 32, "optimizer": "sgd", **self.train}


def _squared(learning_rate: float, **train: Any) -> dict[str, Any]:
    return {
        "learning_rate": learning_rate,
        "learning_rate_decay": 0.93,
        "loss": "squared-error",
        "target_logit": 6.0,
        **train,
    }


CANDIDATES = (
    Candidate("momentum", {"learning_rate": 0.1, "learning_rate_decay": 0.93}, 0.7),
    Candidate("smoothing", {"learning_rate": 0.1, "learning_rate_decay": 0.93, "label_smoothing": 0.1}, 0.7),
    Candidate("squared", _squared(0.02), 0.7),
    Candidate("squared-gentle", _squared(0.015), 0.7),
    Candidate("squared-small", _squared(0.015, batches=100, batch_size=16), 0.7),
    Candidate("squared-heavy", _squared(0.02), 0.8),
)


class MnistWithoutTest(Mnist):
    """MNIST without its test set: a worker trains on 50,000 images, an evaluator has the other 10,000."""

    def data(self, setup: Setup) -> GreyImages:
        """Return the images that are held out, or the others."""
        every = super().data(Setup(node=setup.node, kind="worker", partition=Partition()))
        held_out = np.zeros(len(every), bool)
        held_out[HELD_OUT] = True
        mine = held_out if setup.kind == "evaluator" else ~held_out
        return GreyImages(every.images[mine], every.targets[mine], every.mean, every.deviation)


def main() -> None:
    """Search, or test what was chosen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--test", metavar="NAME", help="run this candidate on the test set instead")
    name = parser.parse_args().test
    if name is None:
        search()
    else:
        test(next(candidate for candidate in CANDIDATES if candidate.name == name))


def search() -> None:
    """Successive halving over the search seeds."""
    scores: dict[Candidate, list[float]] = {candidate: [] for candidate in CANDIDATES}
    alive = list(CANDIDATES)
    for seed in SEARCH_SEEDS:
        for candidate in alive:
            scores[candidate].append(run(MnistWithoutTest, candidate, seed))
        alive.sort(key=lambda candidate: statistics.mean(scores[candidate]), reverse=True)
        alive = alive[: max(2, len(alive) // 2)]
    print(f"chosen: {alive[0]}")


def test(candidate: Candidate) -> None:
    """Run a candidate with the reported seeds, and say mean and spread on the test set."""
    accuracies = [run(Mnist, candidate, seed) for seed in REPORTED_SEEDS]
    print(f"mean {statistics.mean(accuracies):.2f}, standard deviation {statistics.stdev(accuracies):.2f}")


def run(task: type[Mnist], candidate: Candidate, seed: int) -> float:
    """Train for all rounds; print and return the accuracy of the last one, in percent."""
    started = time.monotonic()
    workers = [prepared(task, "worker", labels) for labels in LABELS]
    judge = prepared(task, "evaluator")
    weights = np.array([len(worker.examples) for worker in workers], np.float64)
    model = judge.initial_parameters(Context(seed=seed))
    velocity = np.zeros(model.data.size // 4, np.float32)
    for round in range(1, ROUNDS + 1):
        results = [
            worker.train(
                model, Context(round=round, seed=seed_of(seed, number, round), settings=candidate.table)
            )
            for number, worker in enumerate(workers)
        ]
        base = vector(model)
        deltas = [
            vector(ParameterBuffer.filled(model.layout, result.parameters)) - base for result in results
        ]
        velocity = candidate.server_momentum * velocity + np.average(deltas, axis=0, weights=weights)
        model = ParameterBuffer(model.layout, (base + velocity).astype(np.float32).view(np.uint8))
    metrics = judge.evaluate(model, Context()).metrics
    accuracy = 100 * float(metrics["accuracy"])
    seconds = time.monotonic() - started
    print(
        f"{candidate.name:16} seed {seed:3}: {accuracy:.2f} %, {metrics['loss']:.4f} nats, {seconds:.0f} s",
        flush=True,
    )
    return accuracy


def prepared(task: type[Mnist], kind: NodeKind, labels: str | None = None) -> Mnist:
    """A node's task with its data."""
    node = task()
    node.prepare(Setup(node=kind, kind=kind, partition=Partition.parse(labels=labels)))
    return node


def seed_of(seed: int, worker: int, round: int) -> int:
    """Another seed for each worker and round."""
    return int(np.random.SeedSequence([seed, worker, round]).generate_state(1)[0])


def vector(parameters: ParameterBuffer) -> np.ndarray:
    """All numbers of the network as one float32 vector; it has no others."""
    return parameters.data.view(np.float32)


if __name__ == "__main__":
    main()
