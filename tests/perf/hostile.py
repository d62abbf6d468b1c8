"""One hostile worker of seven under each strategy: `python -m tests.perf.hostile` prints a table.

The hostile worker trains as the others do and sends -10 times its update. All is real (training, logics,
aggregation) but for time and sockets, so each row is the same on every run.
"""

import argparse
import functools
import shutil
import sys
import tempfile
from pathlib import Path

from zfed.benchmark.plan import MEMORY_FOLDER
from zfed.checkpoint import RunDirectory
from zfed.config import CoordinatorConfig, EvaluateConfig, RunConfig
from zfed.facts import Evaluated
from zfed.partition import Partition
from zfed.race.prepared_once import prepared_once
from zfed.simulation import Simulation
from zfed.tasks.softmax import Softmax

WORKERS = 7
TIMES = -10.0
"""What the hostile worker multiplies its update by."""

BOUND = 0.5
"""Of `norm-bounding`. Honest updates begin with a norm of 4 and soon have less than 1; the hostile one has
ten times that, and is cut down to the same."""

TRAIN = {"batches": 134, "batch_size": 64, "learning_rate": 0.1}
"""A pass over a worker's images; and as many steps of the evaluator, whose root update has much fewer."""

ROOT_EXAMPLES = 100
"""Of the evaluator's, for `fltrust`; in all rows, so that all are evaluated on the same others."""

STRATEGIES = {
    "fedavg": {},
    "median": {},
    "trimmed-mean": {},
    "krum": {},
    "multi-krum": {},
    "bulyan": {},
    "geometric-median": {},
    "norm-bounding": {"bound": BOUND},
    "centred-clipping": {},
    "fltrust": {},
}
"""By name, with options that are not their defaults."""


class Hostile(Softmax):
    """A worker that pulls the model the other way."""

    def train(self, parameters, context):
        """Train, and turn the result round."""
        result = super().train(parameters, context)
        for name, trained in result.parameters.items():
            trained[...] = parameters[name] + TIMES * (trained - parameters[name])
        return result


def accuracy(strategy, options, *, hostile, rounds, scheme="iid", train=None, tasks=None):
    """Accuracy of a run's last model on the evaluator's data.

    Args:
        strategy: Its name.
        options: Its options that are not defaults.
        hostile: Whether worker w4 is.
        rounds: Of the run.
        scheme: How the training images are dealt, as in `--partition`, but for the part.
        train: Table `[train]`; default: a pass over the data.
        tasks: What makes the task of a node, by its name; default: on MNIST.
    """
    names = [f"w{number}" for number in range(1, WORKERS + 1)]
    config = CoordinatorConfig(
        run=RunConfig(rounds=rounds, wait_for=",".join([*names, "eve"]), strategy=strategy),
        evaluate=EvaluateConfig(every=rounds),
        train=TRAIN if train is None else train,
        strategy=options,
    )
    simulation = Simulation(seed=1)
    make = tasks or mnist
    for number, name in enumerate(names, start=1):
        part = Partition.parse(spec=f"{scheme}:{number}/{WORKERS}")
        simulation.add(name, functools.partial(make, name, hostile and name == "w4"), partition=part)
    simulation.add(
        "eve", functools.partial(make, "eve", False), kind="evaluator", root_examples=ROOT_EXAMPLES
    )
    where = MEMORY_FOLDER if MEMORY_FOLDER.is_dir() else None
    folder = tempfile.mkdtemp(prefix="zfed-hostile-", dir=where)
    try:
        with RunDirectory.create(Path(folder), "run", "") as directory:
            ended = simulation.run(config, directory)
    finally:
        shutil.rmtree(folder)
    assert ended.finish.status == "completed", ended.finish
    return simulation.told(Evaluated)[-1].metrics["accuracy"]


@functools.cache
def mnist(name, hostile):
    """The MNIST task of a node, whose data is loaded once."""
    return prepared_once(Hostile() if hostile else Softmax())


def main():
    """Print a table in Markdown."""
    parser = argparse.ArgumentParser(description="accuracy with and without a hostile worker, by strategy")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--scheme", default="iid", help="how images are dealt: iid, or dirichlet:0.5")
    parser.add_argument("--strategies", default=",".join(STRATEGIES))
    args = parser.parse_args()
    say = sys.stdout.write
    say("| strategy | nobody hostile | one of seven hostile | lost |\n|---|---|---|---|\n")
    for strategy in args.strategies.split(","):
        clean, attacked = (
            100 * accuracy(strategy, STRATEGIES[strategy], hostile=h, rounds=args.rounds, scheme=args.scheme)
            for h in (False, True)
        )
        say(f"| `{strategy}` | {clean:.2f} % | {attacked:.2f} % | {clean - attacked:.2f} |\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
