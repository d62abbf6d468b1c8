"""Federated averaging in the setting of McMahan et al. (arXiv 1602.05629): table 2, CNN, E = 5, B = 10.

A hundred clients with 600 digits each, of whom ten are drawn each round: once with digits dealt at random
(iid), once with those of two shards of 300, sorted by digit (shards), so that most have but two digits. Each
run takes one core. It is simulated: all its nodes are in one process, with the logics, messages and numbers
of real ones.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict, dataclass, field
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import torch
from paper_cnn import PaperCnn

from zfed.checkpoint import RunDirectory
from zfed.config import CoordinatorConfig, EvaluateConfig, RunConfig, SelectConfig
from zfed.facts import Evaluated
from zfed.nodes.allocator import keep_freed_chunks
from zfed.partition import Partition
from zfed.simulation import COORDINATOR, Simulation
from zfed.simulation.fake_disk import FakeDisk

HERE = Path(__file__).parent
SPLITS = ("iid", "shards")
TARGETS = (0.97, 0.99)
PAPER = {"iid": 20, "shards": 229}
"""Rounds to 99 % in table 2 of the paper."""


@dataclass(kw_only=True)
class Curve:
    """A run: what it is, and accuracy on the test digits after each of its rounds."""

    split: str
    rounds: int
    learning_rate: float
    clients: int = 100
    cohort: int = 10
    epochs: int = 5
    batch_size: int = 10
    seed: int = 1
    accuracies: list[float] = field(default_factory=list)
    minutes: float = 0.0

    def rounds_to(self, target: float) -> int | None:
        """The first round whose model is as good as this; None if none was."""
        return next((place for place, each in enumerate(self.accuracies, 1) if each >= target), None)


def simulate(curve: Curve, folder: Path) -> None:
    """Perform a run; what is known of it is in the folder after each round."""
    keep_freed_chunks()
    torch.set_num_threads(1)  # the other run has the other core
    begun = time.monotonic()
    simulation = Simulation(seed=curve.seed)
    simulation.host(configured(curve), open_run)
    for client in range(1, curve.clients + 1):
        part = Partition.parse(spec=f"{curve.split}:{client}/{curve.clients}", seed=curve.seed)
        simulation.add(f"client-{client:03}", PaperCnn, partition=part)
    simulation.add("evaluator", PaperCnn, kind="evaluator")
    while simulation.finish_of(COORDINATOR) is None and simulation.clock.step(float("inf")):
        for told in simulation.trace:
            if told.node == COORDINATOR and isinstance(told.fact, Evaluated):
                curve.accuracies.append(float(told.fact.metrics["accuracy"]))
                curve.minutes = (time.monotonic() - begun) / 60
                (folder / f"{curve.split}.json").write_text(json.dumps(asdict(curve), indent=1) + "\n")
                now = f"{curve.accuracies[-1]:.2%} after {curve.minutes:.1f} min"
                print(f"{curve.split}: round {told.fact.round}: {now}", flush=True)
        simulation.trace.clear()


def configured(curve: Curve) -> CoordinatorConfig:
    """The coordinator's configuration."""
    return CoordinatorConfig(
        run=RunConfig(rounds=curve.rounds, wait_for=str(curve.clients), seed=curve.seed, keep_models=1),
        train={
            "epochs": curve.epochs,
            "batch_size": curve.batch_size,
            "learning_rate": curve.learning_rate,
        },
        select=SelectConfig(cohort=str(curve.cohort)),
        evaluate=EvaluateConfig(every=1),
    )


def open_run(disk: FakeDisk) -> RunDirectory:
    """A run directory in memory."""
    return RunDirectory.create(Path("/runs"), "paper", "", disk=disk)


def main() -> None:
    """Perform the runs, a process each, and show what came of them."""
    options = parsed()
    planned = {
        "iid": Curve(split="iid", rounds=options.iid_rounds, learning_rate=options.iid_rate),
        "shards": Curve(split="shards", rounds=options.shards_rounds, learning_rate=options.shards_rate),
    }
    options.out.mkdir(parents=True, exist_ok=True)
    spawned = get_context("spawn")
    runs = [
        spawned.Process(target=partial(simulate, curve, options.out))
        for curve in planned.values()
        if curve.rounds
    ]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    results = [options.out / f"{split}.json" for split in SPLITS]
    curves = [Curve(**json.loads(result.read_text())) for result in results if result.exists()]
    print(table(curves))
    draw(curves, options.out / "accuracy.png")


def parsed() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--iid-rounds", type=int, default=26, metavar="N", help="0: only show what there is")
    parser.add_argument("--shards-rounds", type=int, default=30, metavar="N", help="likewise")
    parser.add_argument("--iid-rate", type=float, default=0.05, metavar="X", help="learning rate")
    parser.add_argument("--shards-rate", type=float, default=0.02, metavar="X", help="learning rate")
    parser.add_argument("--out", type=Path, default=HERE, help="folder of the results")
    return parser.parse_args()


def table(curves: list[Curve]) -> str:
    """Rounds to each target, next to those of the paper."""
    lines = [
        "| digits | rounds to 97 % | to 99 % | the paper's, to 99 % | rounds made | best | minutes |",
        "|---" * 7 + "|",
    ]
    for curve in curves:
        made = len(curve.accuracies)
        reached = [str(curve.rounds_to(target) or f"more than {made}") for target in TARGETS]
        best = f"{max(curve.accuracies):.2%}"
        cells = [curve.split, *reached, str(PAPER[curve.split]), str(made), best, f"{curve.minutes:.0f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def draw(curves: list[Curve], path: Path) -> None:
    """Draw accuracy by round; needs matplotlib."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.0), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for target in TARGETS:
        axes.axhline(100 * target, color="#888888", linewidth=0.8, linestyle="--")
    for curve in curves:
        rounds = range(1, len(curve.accuracies) + 1)
        axes.plot(rounds, [100 * each for each in curve.accuracies], label=curve.split)
    axes.set(xlabel="round", ylabel="accuracy on the test digits, %")
    axes.grid(alpha=0.25, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.savefig(path)


if __name__ == "__main__":
    main()
