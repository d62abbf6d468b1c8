"""A thousand workers: no update is lost; extra_info holds what they cost the coordinator.

What pytest-benchmark times is the whole run with its start-up: read the extra_info. `make crowd` measures any
number of workers.
"""

from dataclasses import asdict

import pytest

from tests.perf.crowd import Crowd, measure


@pytest.mark.processes
def test_no_update_of_a_thousand_workers_is_lost(benchmark, tmp_path):
    crowd = Crowd(workers=1000, model_bytes=100_000, rounds=6, processes=2)
    figures = benchmark.pedantic(measure, args=(crowd, tmp_path), rounds=1)
    benchmark.extra_info.update(asdict(figures))
    assert figures.updates_lost == 0
    assert figures.rounds_retried == 0
