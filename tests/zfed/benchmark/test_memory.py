from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from zfed.benchmark.memory import MemoryWatch, private_bytes

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc on this system")
SIZE = 50_000_000
BRIEFLY_LARGE = f"""
import time
print("idle", flush=True); input()
block = b"x" * {SIZE}
time.sleep(0.2)  # a peak that is over before anybody looks, but long enough for 20 samples
del block
print("small again", flush=True); input()
"""


def test_a_peak_is_seen_that_is_over_when_one_looks():
    with (
        MemoryWatch(0.01) as watch,
        subprocess.Popen(
            [sys.executable, "-c", BRIEFLY_LARGE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process,
    ):
        assert process.stdout is not None
        assert process.stdout.readline() == "idle\n"
        idle = private_bytes(process.pid)
        watch.add(process.pid)
        assert process.stdin is not None
        print(file=process.stdin, flush=True)
        assert process.stdout.readline() == "small again\n"
        assert private_bytes(process.pid) < idle + SIZE / 2
        assert SIZE <= watch.peak(process.pid) - idle < 1.2 * SIZE
        process.communicate("\n")


def test_a_process_that_has_ended_holds_nothing():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    assert private_bytes(process.pid) == 0
    assert private_bytes(os.getpid()) > 0
