"""What a coordinator's memory depends on, and on what not: `python -m tests.perf.coordinator_memory --help`.

The same model with more and more workers, received through the same number of slots. The workers are light
ones in two processes (`crowd_members`): of each the machine has to hold one model, not a task.
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from tests.perf.crowd import Crowd, measure
from zfed.benchmark.plan import MEMORY_FOLDER
from zfed.config.sizes import parse_size
from zfed.nodes.upload_plan import WINDOW_BYTES

ROUNDS = 4
SPARE_BYTES = 64 << 20
CONNECTION_BYTES = 40_000
MODELS = 4
"""Served, summed in float64 (two), and next."""

ACCUMULATORS = {"exact": 0, "float32": -1}
VECTORS = {"fedavg": 0, "fedavgm": 1, "median": -2}
"""What strategies keep from round to round; median needs no sum."""
KEEPING = {"median"}
"""Those that keep every update of a round."""
LARGEST_SPREAD = 0.10


def allowed_bytes(model_bytes, slots, workers, strategy, accumulator):
    """What the coordinator may hold over its idle size."""
    models = MODELS + VECTORS[strategy] + ACCUMULATORS[accumulator] + slots
    models += workers if strategy in KEEPING else 0
    return models * model_bytes + WINDOW_BYTES + SPARE_BYTES + workers * CONNECTION_BYTES


def main():
    """Measure each number of workers; 1 if one of them takes more than it may, or they differ."""
    parser = argparse.ArgumentParser(description="a coordinator's peak memory with few and many workers")
    parser.add_argument("--size", default="200MB", help="of the model")
    parser.add_argument("--workers", default="3,10,30", help="numbers of them")
    parser.add_argument("--slots", type=int, default=2, help="updates received at the same time")
    parser.add_argument("--strategy", default="fedavg", choices=VECTORS)
    parser.add_argument("--accumulator", default="exact", choices=ACCUMULATORS)
    args = parser.parse_args()
    model_bytes = parse_size(args.size) // 4 * 4
    peaks, good = [], True
    for workers in map(int, args.workers.split(",")):
        crowd = Crowd(
            workers=workers,
            model_bytes=model_bytes,
            rounds=ROUNDS,
            processes=2,
            options=(
                *("--upload-slots", str(args.slots), "--strategy", args.strategy),
                *(() if args.strategy in KEEPING else ("--accumulator", args.accumulator)),
            ),
        )
        peaks.append(peak(crowd))
        allowed = allowed_bytes(model_bytes, args.slots, workers, args.strategy, args.accumulator)
        good = good and peaks[-1] <= allowed
        sys.stdout.write(
            f"{workers:5} workers: {peaks[-1] / 1e6:,.0f} MB over idle, "
            f"{peaks[-1] / model_bytes:.2f} models; allowed {allowed / 1e6:,.0f} MB\n"
        )
        sys.stdout.flush()
    if args.strategy in KEEPING:  # as many as there are workers
        return 0 if good else 1
    spread = max(peaks) / min(peaks) - 1
    sys.stdout.write(f"largest over smallest: {spread:+.1%}, allowed {LARGEST_SPREAD:+.0%}\n")
    return 0 if good and spread <= LARGEST_SPREAD else 1


def peak(crowd):
    """The coordinator's peak over its idle size, in bytes."""
    where = MEMORY_FOLDER if MEMORY_FOLDER.is_dir() else None
    folder = Path(tempfile.mkdtemp(prefix="zfed-memory-", dir=where))
    try:
        return measure(crowd, folder).peak_bytes
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main())
