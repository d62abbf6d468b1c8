import pytest

from tests.zfed.race import toy
from zfed.config import CoordinatorConfig, RunConfig
from zfed.errors import ConfigError, TaskError, UsageError
from zfed.race import Race
from zfed.race.heat import VARIATION

ROUND_S = 100 * 0.005
"""Of a uniform device: its examples times what each takes."""


def raced(*arguments, **given):
    return Race(toy.plan(*arguments, **given)).run()


def test_a_synchronous_course_takes_its_slowest_device_s_time_a_round():
    [course] = raced()
    assert course.ending == "arrived"
    assert [point.accuracy for point in course.points[:4]] == [0.5, 0.75, 0.875, 0.9375]
    assert (course.arrival.version, course.arrival.updates, course.arrival.begun) == (4, 12, 12)
    slowest = 4 * ROUND_S * (1 + VARIATION)
    assert 4 * ROUND_S < course.arrival.at_s < slowest + 4 * 0.2  # and some messages there and back


def test_one_slow_device_makes_a_synchronous_round_ten_times_longer():
    [alike] = raced()
    [one_slow] = raced(profile="one-slow")
    assert one_slow.accuracy == alike.accuracy
    assert 8 < one_slow.arrival.at_s / alike.arrival.at_s < 12


def test_the_same_plan_gives_the_same_courses():
    first, again = raced(profile="phones", until_s=400.0), raced(profile="phones", until_s=400.0)
    for course in (*first, *again):
        course.real_s = 0.0
    assert first == again


def test_traffic_is_what_went_over_the_workers_links():
    [course] = raced()
    reached = course.reached
    payloads = reached.updates * 2 * 4  # of each the model and an update, one float32 each
    assert payloads < reached.carried_bytes < payloads + reached.updates * 5000


def test_a_course_that_does_not_arrive_in_time_has_not():
    [course] = raced(until_s=1.0)
    assert (course.ending, course.now_s, course.arrival) == ("out of time", 1.0, None)
    assert course.reached.version == 1


def test_a_course_that_takes_too_much_work_is_given_up():
    [course] = raced(target=1.0, most_work=5)
    assert (course.ending, course.newest.begun) == ("given up", 15)


def test_who_is_stopped_keeps_what_there_is():
    stopping = []

    def stop(course):
        stopping.append(course)
        if course.newest.version == 2:
            race.stop("enough")

    race = Race(toy.plan(schedules=["sync", "sync"], target=1.0), stop)
    [course] = race.run()
    assert (course.ending, course.newest.version) == ("interrupted", 2)
    assert stopping[-1] is course


def test_data_are_loaded_once_for_all_schedules(monkeypatch):
    monkeypatch.setattr(toy.Toy, "prepared", 0)
    assert len(raced(schedules=["sync", "sync"])) == 2
    assert toy.Toy.prepared == 3 + 1


def test_a_task_that_raises_ends_the_race_with_its_words():
    with pytest.raises(TaskError, match=r"^sync: w\d: train: RuntimeError: no memory left on this board"):
        raced("Raising")


def test_a_task_without_accuracy_has_nothing_to_race_for():
    with pytest.raises(TaskError, match="reports no accuracy, so there is nothing to race for"):
        raced("Unmeasured")


@pytest.mark.parametrize(
    ("schedule", "run", "said"),
    [
        ("buffered:7", {}, "--goal 7 is more than the 3 that --wait-for asks for"),
        ("async", {"strategy": "median"}, "median compares the updates of a version"),
        ("quorum:1", {"min_workers": 2}, "--min-workers 2 commits none of fewer"),
    ],
)
def test_what_no_run_could_do_is_refused_before_anything_is_computed(schedule, run, said):
    with pytest.raises(ConfigError, match=said):
        Race(toy.plan(schedules=["sync", schedule], config=CoordinatorConfig(run=RunConfig(**run))))


def test_a_strategy_that_compares_workers_with_an_evaluator_races_too():
    [course] = raced(task="Rooted", config=CoordinatorConfig(run=RunConfig(strategy="fltrust")))
    assert course.ending == "arrived"


def test_an_unknown_profile_is_refused_before_anything_is_computed():
    with pytest.raises(UsageError, match='unknown profile "phone"; did you mean "phones"'):
        Race(toy.plan(profile="phone"))


def test_nobody_waits_for_a_slow_worker_without_a_barrier():
    sync, buffered, at_once = raced(schedules=["sync", "buffered:2", "async"], profile="one-slow", workers=5)
    assert sync.staleness == {0: sync.newest.updates}
    for course in (buffered, at_once):
        assert course.arrival.at_s < sync.arrival.at_s / 3
        assert course.median_staleness > 0


def test_updates_that_come_too_late_are_begun_and_not_used():
    [course] = raced(schedules=["quorum:2"], profile="one-slow", workers=3)
    reached = course.reached
    assert reached.updates == 2 * reached.version
    assert reached.begun == 3 * reached.version
