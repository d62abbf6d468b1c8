import pytest

from tests.zfed.race import toy
from zfed.config import CoordinatorConfig, ScheduleConfig, SelectConfig
from zfed.config.schedule_config import SCHEDULES
from zfed.errors import ConfigError, UsageError


def rules(label, schedule=None, select=None, workers=10):
    """Goal and cohort that one schedule races with."""
    config = CoordinatorConfig(schedule=schedule or ScheduleConfig(), select=select or SelectConfig())
    [entrant] = toy.plan(schedules=[label], config=config, workers=workers).entrants
    assert entrant.config.schedule.kind == label.partition(":")[0]
    return entrant.config.schedule.goal, entrant.config.select.cohort


@pytest.mark.parametrize(
    ("label", "goal", "cohort"),
    [
        ("sync", "", ""),
        ("quorum", "80%", ""),
        ("quorum:90%", "90%", ""),
        ("over-select", "", "75%"),
        ("over-select:50%", "", "50%"),
        ("buffered", "20%", ""),
        ("buffered:3", "3", ""),
        ("async", "", ""),
    ],
)
def test_every_schedule_has_what_it_needs_where_nobody_says(label, goal, cohort):
    assert rules(label) == (goal, cohort)


def test_a_goal_beside_the_name_comes_before_that_of_all():
    everywhere = ScheduleConfig(goal="7")
    assert rules("buffered", everywhere)[0] == "7"
    assert rules("buffered:3", everywhere)[0] == "3"
    assert rules("sync", everywhere)[0] == ""


def test_a_cohort_is_everybodys():
    select = SelectConfig(cohort="40%")
    assert {rules(kind, select=select)[1] for kind in SCHEDULES} == {"40%"}


def test_what_a_schedule_does_not_know_is_not_asked_of_it():
    given = ScheduleConfig(grace_s=3.0, late="carry")
    plan = toy.plan(schedules=SCHEDULES, config=CoordinatorConfig(schedule=given))
    kept = {entrant.label: entrant.config.schedule for entrant in plan.entrants}
    for kind in ("quorum", "over-select"):
        assert (kept[kind].grace_s, kept[kind].late) == (3.0, "carry")
    for kind in ("sync", "buffered", "async"):
        assert (kept[kind].grace_s, kept[kind].late) == (0.0, "refuse")


@pytest.mark.parametrize(
    ("label", "every"), [("sync", 1), ("async", 10), ("buffered:2", 5), ("buffered:20%", 1), ("quorum:3", 1)]
)
def test_as_many_updates_lie_between_evaluations_under_every_schedule(label, every):
    [entrant] = toy.plan(schedules=[label], workers=100).entrants
    assert entrant.config.evaluate.every == every


@pytest.mark.parametrize(
    ("label", "said"),
    [
        ("bufered", 'unknown schedule "bufered"; did you mean "buffered"'),
        ("async:3", "async takes no goal; write async"),
        ("sync:3", "sync takes no goal; write sync"),
    ],
)
def test_a_schedule_that_cannot_be_is_refused(label, said):
    with pytest.raises(ConfigError, match=said):
        rules(label)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"workers": 0}, "--workers is 0, expected 1 to"),
        ({"target": 88.0}, "--target is 88, expected an accuracy"),
        ({"until_s": 0.0}, "--until is 0, expected virtual seconds"),
        ({"most_work": 0}, "--most-work is 0, expected 1 or more"),
        ({"schedules": []}, "--schedule names none"),
    ],
)
def test_a_number_out_of_range_is_refused(given, said):
    with pytest.raises(UsageError, match=said):
        toy.plan(**given)


def test_data_are_dealt_to_all_workers():
    plan = toy.plan(partition="dirichlet:0.3", workers=3)
    assert [plan.part_of(place) for place in range(3)] == [f"dirichlet:0.3:{part}/3" for part in (1, 2, 3)]
    assert toy.plan(partition="all").part_of(2) == "all"
