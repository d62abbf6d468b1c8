"""The example of a user's own strategy, in whole runs of a simulated coordinator and its workers."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.zfed.simulation.simulated import Steps, configured, delta_of, run_once
from zfed.nodes.orders import work_seed
from zfed.simulation import Simulation

SOURCE = Path(__file__).parents[2] / "examples" / "custom_strategy" / "majority.py"
NAMES = ("alice", "bob", "carol")


def run(strategy, options=None, rounds=4):
    simulation = Simulation()
    for name in NAMES:
        simulation.add(name, Steps)
    config = replace(configured(rounds=rounds, wait_for="3", strategy=strategy), strategy=options or {})
    return run_once(simulation, config)


def test_it_is_short():
    lines = SOURCE.read_text("utf-8").splitlines()
    assert len([line for line in lines if line.strip()]) < 40


def test_each_number_moves_where_the_majority_points():
    ended = run(f"{SOURCE}:MajorityVote", {"step": 0.25})
    expected = np.zeros(6, np.float32)
    for version in range(4):
        votes = [np.sign(delta_of(work_seed(0, name, version))) for name in NAMES]
        expected += np.float32(0.25) * np.sign(np.sum(votes, axis=0))
    assert ended.finish.status == "completed"
    np.testing.assert_array_equal(ended.model["w"], expected)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("return {'w': 0.0}", "combine returned tensor 'w' of shape (), expected (6,)"),
        ("return {'w': updates[9]}", "finish_into failed: IndexError"),
        ("return {'w': updates[0][1]['w'] * float('nan')}", "holds a number that is not finite"),
    ],
)
def test_a_broken_one_ends_the_run_with_what_is_wrong_and_keeps_the_first_model(tmp_path, body, reason):
    path = tmp_path / "broken.py"
    path.write_text(
        "from zfed.strategies import ArrayStrategy\n"
        f"class Broken(ArrayStrategy):\n    def combine(self, updates):\n        {body}\n"
    )
    ended = run(f"{path}:Broken")
    assert (ended.finish.status, ended.finish.version) == ("failed", 0)
    assert reason in ended.finish.reason
    assert not ended.model["w"].any()
