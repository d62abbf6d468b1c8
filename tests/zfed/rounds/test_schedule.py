import pytest

from zfed.config import EvaluateConfig, ScheduleConfig, SelectConfig
from zfed.errors import ConfigError
from zfed.rounds import Schedule


def schedule(*, cohort="", own_models=False, **settings):
    return Schedule.of(
        ScheduleConfig(**settings), SelectConfig(cohort=cohort), EvaluateConfig(workers=own_models)
    )


def test_sync_closes_when_the_whole_cohort_has_answered_and_carries_nothing():
    rules = schedule()
    assert rules.closes_at(7, candidates=9) == 7
    assert (rules.carries, rules.joins) == (False, False)
    assert rules.wanted(5) == 5


def test_quorum_closes_at_a_number_or_a_share_of_the_cohort():
    assert schedule(kind="quorum", goal="3").closes_at(7, candidates=9) == 3
    assert schedule(kind="quorum", goal="50%").closes_at(7, candidates=9) == 4


def test_late_updates_are_carried_if_asked_for():
    assert not schedule(kind="quorum", goal="3").carries
    assert schedule(kind="quorum", goal="3", late="carry").carries


@pytest.mark.parametrize("cohort", ["10", "20%"])
def test_over_select_asks_more_than_are_needed_and_closes_at_those(cohort):
    rules = schedule(kind="over-select", cohort=cohort)
    assert rules.wanted(10) == 13
    assert rules.closes_at(13, candidates=50) == 10
    assert rules.closes_at(8, candidates=8) <= 8


def test_over_selection_is_not_rounded_up_for_what_floats_leave_over():
    assert schedule(kind="over-select", cohort="10", oversampling=1.1).wanted(10) == 11


def test_buffered_and_async_let_workers_join_and_go_on():
    for rules in (schedule(kind="buffered", goal="3"), schedule(kind="async")):
        assert rules.carries
        assert rules.joins
    assert schedule(kind="async").closes_at(50, candidates=50) == 1


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"kind": "quorum"}, "--schedule quorum needs --goal"),
        ({"kind": "buffered"}, "--schedule buffered needs --goal"),
        ({"kind": "over-select"}, "--schedule over-select needs --cohort"),
        ({"goal": "3"}, "--goal 3: --schedule sync waits for the whole cohort"),
        ({"kind": "async", "goal": "3"}, "--goal 3: --schedule async makes a version of each update"),
        ({"kind": "over-select", "cohort": "3", "goal": "3"}, "--goal 3: --schedule over-select closes"),
        ({"kind": "buffered", "goal": "3", "grace_s": 2.0}, "--grace 2: --schedule buffered has none"),
        ({"late": "carry"}, "--late carry: --schedule sync waits for all"),
        ({"kind": "quorum", "goal": "0"}, "--goal is '0', expected a number, at least 1"),
        ({"kind": "quorum", "goal": "3", "staleness": "none"}, '--staleness "none"'),
        ({"kind": "async", "own_models": True}, "--evaluate-workers: with --schedule async"),
    ],
)
def test_settings_that_contradict_each_other_are_refused_with_the_reason(settings, reason):
    with pytest.raises(ConfigError) as caught:
        schedule(**settings)
    assert str(caught.value).startswith(reason)


def test_by_default_a_worker_counts_that_takes_ten_times_as_long_as_the_others():
    assert schedule(kind="async").oldest(100) == 1000
    assert schedule(kind="buffered", goal="5").oldest(10) == 20
    assert schedule(kind="quorum", goal="75%", late="carry").oldest(4) == 14
    assert schedule(kind="async").oldest(1) == 10


def test_how_old_an_update_may_be_can_be_said():
    assert schedule(kind="async", max_staleness=3).oldest(100) == 3
    assert schedule().oldest(100) == 0
