from __future__ import annotations

import sys
from pathlib import Path

import pytest

from zfed.benchmark import compare, make_plan
from zfed.benchmark.block import Block
from zfed.benchmark.comparison import summarised
from zfed.errors import RunFailedError


def block(round_s, cpu_s, peak_bytes):
    return Block(round_s=round_s, cpu_s=cpu_s, peak_bytes=peak_bytes, bytes_down=20, bytes_up=10)


def test_times_are_medians_over_all_blocks_and_memory_is_the_most_ever_seen():
    measured = summarised(
        [
            block([1.0, 2.0, 9.0], [1.0, 0.5, 0.5], [100, 30, 20]),
            block([3.0, 4.0, 5.0], [3.0, 0.5, 0.7], [90, 40, 10]),
            block([3.5, 3.5, 3.5], [2.0, 0.4, 0.6], [80, 10, 10]),
        ]
    )
    assert (measured.round_s, measured.fastest_s, measured.slowest_s) == (3.5, 1.0, 9.0)
    assert measured.cpu_s == pytest.approx(3.0)
    assert measured.cpu_coordinator_s == 2.0
    assert measured.cpu_workers_s == [0.5, 0.6]
    assert measured.peak_coordinator_bytes == 100
    assert measured.peak_workers_bytes == [40, 20]
    assert (measured.bytes_down, measured.bytes_up) == (20, 10)


@pytest.mark.processes
def test_a_side_that_fails_is_named_with_its_last_words_and_nothing_is_left(tmp_path):
    plan = make_plan("1KB", workers=1, rounds=1, blocks=1, folder=tmp_path)
    broken = [sys.executable, "-c", "import sys; sys.exit('out of paper')"]
    with pytest.raises(RunFailedError, match=r"zfed: the process coordinator .*exit code 1.*out of paper"):
        compare(plan, broken, lambda what: None)
    assert list(Path(tmp_path).iterdir()) == []
