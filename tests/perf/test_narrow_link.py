"""Control on 1 Mbit/s is not late while a model fills the link, either way; extra_info holds the times.

What pytest-benchmark times is the whole run with its start-up: read the extra_info. `python -m
tests.perf.narrow_link` measures any size and number of workers.
"""

from dataclasses import asdict

import pytest

from tests.perf.narrow_link import NoNamespacesError, measure


@pytest.mark.processes
def test_control_takes_less_than_200_ms_on_a_full_link_of_1_mbit(benchmark, tmp_path):
    try:
        figures = benchmark.pedantic(measure, args=("250KB", 1, tmp_path), rounds=1)
    except NoNamespacesError as error:
        pytest.skip(str(error))
    benchmark.extra_info.update(asdict(figures))
    assert figures.late_ms < 200
    assert figures.share > 0.85
