from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zfed.race import Course, Point
from zfed.race.course import STEADY


def course_of(*accuracies, target=0.9):
    course = Course("buffered")
    for number, accuracy in enumerate(accuracies, start=1):
        course.newest = Point(at_s=float(number), version=number, accuracy=accuracy)
        course.evaluated(course.newest, target)
        if course.ending:
            break
    return course


def test_a_course_that_has_not_begun_has_no_accuracy_and_no_arrival():
    course = Course("sync")
    assert (course.accuracy, course.arrival, course.median_staleness) == (None, None, 0)
    assert course.reached == Point()


def test_arrival_is_the_first_of_three_evaluations_at_the_target():
    course = course_of(0.5, 0.8, 0.9, 0.92, 0.91, 0.93)
    assert course.arrival.at_s == 3.0
    assert course.reached is course.arrival
    assert course.accuracy == 0.91


def test_who_falls_back_has_not_arrived():
    course = course_of(0.95, 0.95, 0.4, 0.95, 0.95, 0.89)
    assert (course.ending, course.arrival) == ("", None)
    assert course.reached.version == 6


@given(st.lists(st.sampled_from([0.5, 0.9, 1.0]), max_size=30))
def test_nobody_arrives_before_the_target_was_held(accuracies):
    course = course_of(*accuracies)
    good = [point.accuracy >= 0.9 for point in course.points]
    if course.ending == "arrived":
        assert all(good[-STEADY:])
        assert course.arrival is course.points[-STEADY]
    else:
        assert not any(all(good[at : at + STEADY]) for at in range(len(good) - STEADY + 1))


@pytest.mark.parametrize(
    ("behind", "median"), [({0: 5, 1: 1}, 0), ({0: 2, 1: 1, 7: 2}, 1), ({2: 1, 4: 1}, 2)]
)
def test_median_staleness_is_that_of_all_updates_and_the_lower_of_two(behind, median):
    assert Course("buffered", staleness=Counter(behind)).median_staleness == median
