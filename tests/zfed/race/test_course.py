from collections import Counter

from zfed.race import Course, Point


def test_a_course_that_has_not_begun_has_no_accuracy_and_no_arrival():
    course = Course("sync")
    assert (course.accuracy, course.arrival, course.median_staleness) == (None, None, 0)


def test_arrival_is_the_last_point_of_a_course_that_has_arrived():
    points = [Point(1.0, 1, 3, 0.5), Point(2.0, 2, 6, 0.9)]
    course = Course("sync", points=points)
    assert course.arrival is None
    course.ending = "arrived"
    assert course.arrival is points[-1]
    assert course.accuracy == 0.9


def test_median_staleness_is_that_of_all_updates_and_the_lower_of_two():
    assert Course("buffered", staleness=Counter({0: 5, 1: 1})).median_staleness == 0
    assert Course("buffered", staleness=Counter({0: 2, 1: 1, 7: 2})).median_staleness == 1
    assert Course("buffered", staleness=Counter({2: 1, 4: 1})).median_staleness == 2
