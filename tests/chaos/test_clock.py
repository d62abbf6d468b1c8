"""The wall clock is moved by a day: for people it says another time, and nothing else happens."""

import pytest

from tests.chaos.runs import Run
from zfed.facts import NodeLeft, RoundCommitted, RoundRetried

DAY_S = 86_400


@pytest.mark.parametrize("days", [1, -1])
def test_wall_clock_moved_by_a_day_fires_no_deadline(fleet, preloaded, days):
    """Everybody's clock is moved in the middle of a round."""
    shift = fleet.folder / "shift"
    shift.write_text("0")
    environment = preloaded("shifted_clock", SHIFTED_CLOCK=shift)
    run = Run(
        fleet,
        *("--rounds", 4, "--round-timeout", 20),
        environment=environment,
        workers_environment=environment,
        pause_s=0.5,
    )
    run.await_event("opened", round=2)
    before = run.journal[-1]["at"]
    shift.write_text(str(days * DAY_S))
    run.finish()
    after = run.journal[-1]["at"]
    assert (after[:10] > before[:10]) == (days > 0)
    assert after[:10] != before[:10]
    committed = run.coordinator.told(RoundCommitted)
    assert [fact.workers for fact in committed] == [["alice", "bob"]] * 4
    assert all(0 < fact.seconds < 10 for fact in committed)
    assert not run.coordinator.told(NodeLeft)
    assert not run.coordinator.told(RoundRetried)
