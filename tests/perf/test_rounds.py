"""Rounds of real processes next to raw sockets; extra_info holds the ratios.

What pytest-benchmark times is the whole comparison with its start-up: read the extra_info. `zfed bench` shows
the same for any size.
"""

import sys

import pytest

from zfed.benchmark import compare, make_plan

ZFED = [sys.executable, "-m", "zfed_cli.main"]


@pytest.mark.processes
@pytest.mark.benchmark(group="rounds of 3 workers")
@pytest.mark.parametrize(("size", "rounds"), [("0.1MB", 100), ("5MB", 20)])
def test_rounds_of_three_workers(benchmark, size, rounds):
    plan = make_plan(size, workers=3, rounds=rounds, blocks=1)
    found = benchmark.pedantic(compare, args=(plan, ZFED, lambda what: None), rounds=1)
    benchmark.extra_info.update(found.ratios, round_s=found.encrypted.round_s)
