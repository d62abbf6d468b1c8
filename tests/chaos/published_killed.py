"""The published recipe, its coordinator killed ten times: `python -m tests.chaos.published_killed --help`.

It runs undisturbed first. Then again, with SIGKILL at ten lines of the journal that a seed draws, each
followed by the same command. Both end with the same bytes. Needs MNIST and torch.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from tests.chaos.runs import LOOK_S, journal_lines
from tests.free_port import free_port
from tests.processes import enrol
from zfed.identity import COORDINATOR, KeysFolder

KILLS = 10
LONGEST_S = 300.0
NODES = {"alice": "0-3", "bob": "4-6", "charlie": "7-9"}
ZFED = (sys.executable, "-m", "zfed_cli.main")
DATA = Path(__file__).parents[2] / "data"
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")


def final_bytes(folder, kill_after):
    """The bytes of the run's last model, the seconds it took, and the lines of its journal.

    Args:
        folder: For its files.
        kill_after: For each of these, ascending: kill the coordinator when its journal has as many lines.
    """
    recipe = folder / "zfed.toml"
    printed = subprocess.run(
        [*ZFED, "demo", "--recipe", "published", "--print-recipe"], capture_output=True, check=True
    )
    recipe.write_bytes(printed.stdout)
    bind = f"tcp://127.0.0.1:{free_port()}"
    run = folder / "run"
    keys = KeysFolder(folder / "keys")
    coordinator_key = keys.new_key(COORDINATOR).public
    for name in (*NODES, "evaluator"):
        enrol(keys, name, keys.new_key(name))
    with (folder / "log").open("w") as log:
        environment = {
            **os.environ,
            **ONE_THREAD,
            "ZFED_DATA": str(DATA),
            "ZFED_STATE": str(folder / "state"),
            "ZFED_KEYS": str(keys.path),
            "ZFED_COORDINATOR_KEY": coordinator_key.text,
        }

        def start(*words):
            command = [*ZFED, *map(str, words), "--format", "json"]
            return subprocess.Popen(command, env=environment, stdout=log, stderr=log)

        def start_coordinator():
            flags = ("--bind", bind, "--run", run, "--seed", 7, "--no-plot")
            return start("coordinator", "--config", recipe, *flags)

        began = time.monotonic()
        coordinator = start_coordinator()
        common = ("--connect", bind, "--task", "mnist", "--threads", 1)
        nodes = [start("worker", "--name", name, "--labels", own, *common) for name, own in NODES.items()]
        nodes.append(start("evaluator", "--name", "evaluator", *common))
        try:
            for lines in kill_after:
                while len(journal_lines(run)) < lines and coordinator.poll() is None:
                    time.sleep(LOOK_S)
                assert coordinator.poll() is None, (folder / "log").read_text()[-2000:]
                coordinator.send_signal(signal.SIGKILL)
                coordinator.wait()
                coordinator = start_coordinator()
            ended = [process.wait(LONGEST_S) for process in (coordinator, *nodes)]
            assert ended == [0] * len(ended), (folder / "log").read_text()[-2000:]
        finally:
            for process in (coordinator, *nodes):
                process.kill()
                process.wait()
        return (run / "model.safetensors").read_bytes(), time.monotonic() - began, len(journal_lines(run))


def compare(folder, seed):
    """Run both; returns sentences.

    Raises:
        AssertionError: If their last models differ.
    """
    undisturbed, killed = folder / "undisturbed", folder / "killed"
    for path in (undisturbed, killed):
        path.mkdir()
    expected, undisturbed_s, lines = final_bytes(undisturbed, [])
    moments = sorted(random.Random(seed).sample(range(2, lines), KILLS))
    seen, killed_s, _ = final_bytes(killed, moments)
    assert seen == expected, f"other bytes, killed at the journal's lines {moments}"
    yield f"killed {KILLS} times, at lines {moments} of a journal of {lines}: the same {len(seen)} bytes"
    yield f"{undisturbed_s:.0f} s undisturbed, {killed_s:.0f} s with the kills, on {psutil.cpu_count()} cores"


def main():
    """Compare, and say what was compared."""
    parser = argparse.ArgumentParser(description="the published recipe, its coordinator killed ten times")
    parser.add_argument("--seed", type=int, default=None, help="of the moments; default: a fresh one")
    args = parser.parse_args()
    seed = random.SystemRandom().randrange(2**32) if args.seed is None else args.seed
    sys.stdout.write(f"seed {seed}\n")
    sys.stdout.flush()
    with tempfile.TemporaryDirectory(prefix="zfed-published-") as folder:
        for sentence in compare(Path(folder), seed):
            sys.stdout.write(sentence + "\n")


if __name__ == "__main__":
    main()
