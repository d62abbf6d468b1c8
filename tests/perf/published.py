"""The published demo against the same work without a framework: `python -m tests.perf.published`.

`zfed demo --recipe published` (five processes) and `published_alone` (one, with one and with two threads)
run in turn. Both are timed from the first round's start to the last evaluation's end.
"""

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from zfed.data import default_root

ALONE = [sys.executable, "-m", "tests.perf.published_alone"]
DEMO = [sys.executable, "-m", "zfed_cli.main", "demo", "--recipe", "published"]


def demo_seconds(seed):
    with tempfile.TemporaryDirectory() as folder:
        command = [*DEMO, "--seed", str(seed), "--run", str(Path(folder) / "run")]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return float(re.search(r"with the last evaluation: ([\d.]+) s", said)[1])


def alone_seconds(seed, threads):
    command = [*ALONE, str(default_root() / "MNIST" / "raw"), "--seed", str(seed), "--threads", str(threads)]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)["seconds"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5, metavar="N", help="runs of each (default 5)")
    args = parser.parse_args()
    sides = {
        "zfed demo, five processes": demo_seconds,
        "one process, 1 torch thread": lambda seed: alone_seconds(seed, 1),
        "one process, 2 torch threads": lambda seed: alone_seconds(seed, 2),
    }
    seconds = {name: [] for name in sides}
    for seed in range(1, args.runs + 1):
        for name, measure in sides.items():
            seconds[name].append(measure(seed))
            print(f"seed {seed}: {name}: {seconds[name][-1]:.1f} s", flush=True)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    demo, *alone = medians.values()
    for name, value in medians.items():
        print(f"{name}: median {value:.1f} s")
    print(f"zfed demo, of the better one: {demo / min(alone):.2f}")


if __name__ == "__main__":
    main()
