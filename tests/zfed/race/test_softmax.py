"""What the plot in docs/simulate.md shows, with less data."""

from pathlib import Path

import pytest

from zfed.config import CoordinatorConfig, RunConfig
from zfed.race import Race, RacePlan

DATA = Path(__file__).parents[3] / "data"


@pytest.mark.mnist
@pytest.mark.skipif(not (DATA / "MNIST").is_dir(), reason="MNIST is not here: zfed data get mnist")
def test_with_one_slow_worker_buffered_takes_at_most_a_third_of_the_time_of_sync():
    plan = RacePlan(
        config=CoordinatorConfig(
            run=RunConfig(round_timeout_s=1e6), train={"batches": 10, "learning_rate": 0.05}
        ),
        schedules=["sync", "buffered"],
        workers=10,
        profile="one-slow",
        settings={"root": str(DATA)},
        target=0.8,
        until_s=1000.0,
    )
    sync, buffered = Race(plan).run()
    assert buffered.arrival.at_s <= sync.arrival.at_s / 3
