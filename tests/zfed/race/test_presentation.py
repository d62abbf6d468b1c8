import json
from collections import Counter

import pytest

from tests.zfed.race import toy
from zfed.race import Course, Point, heading, line, progress, record, rows

HELD = (Point(950.0, 5, 500, accuracy=0.8805), Point(990.0, 6, 600, accuracy=0.882))
"""A point alone is no arrival."""

SYNC = Course(
    "sync",
    now_s=990.4,
    newest=HELD[-1],
    points=[
        Point(800.0, 3, 300, 100, 300, 20_000_000, 0.85),
        Point(900.0, 4, 400, 100, 400, 25_000_000, 0.881),
        *HELD,
    ],
    staleness=Counter({0: 600}),
    ending="arrived",
    real_s=2.0,
)
BUFFERED = Course(
    "buffered:20%",
    now_s=990.0,
    newest=HELD[-1],
    points=[Point(300.0, 30, 600, 80, 700, 40_000_000, 0.8801), *HELD],
    staleness=Counter({0: 100, 2: 500}),
    ending="arrived",
)
LATE = Course("async", now_s=3600.0, newest=Point(3500.0, 9, 9, 4, 12), ending="out of time")
PLAN = toy.plan(target=0.88, until_s=3600.0)


def test_rows_compare_with_the_first_course():
    first, second, third = rows([SYNC, BUFFERED, LATE])
    assert (first.time, first.speed, first.staleness) == ("15 min 00 s", "1.0x", "0")
    assert (second.time, second.speed, second.unused) == ("5 min 00 s", "3.0x", "100")
    assert (second.traffic, second.staleness, second.accuracy) == ("40.0 MB", "2", "0.8801")
    assert (first.workers, second.workers, third.workers) == ("100", "80", "4")
    assert (third.time, third.speed, third.accuracy) == ("not in 1 h 00 min", "", "")


def test_a_line_says_all_of_a_course():
    assert line(BUFFERED, PLAN) == (
        "buffered:20%: accuracy 0.88 after 5 min 00 s; 30 versions of 600 updates from 80 workers, "
        "100 begun and not used, 40.0 MB, median staleness 2"
    )
    assert line(LATE, PLAN).startswith(
        "async: not in 1 h 00 min, accuracy unknown; 9 versions of 9 updates from 4 workers"
    )


@pytest.mark.parametrize(
    ("ending", "said"),
    [("out of time", "not in"), ("given up", "given up at"), ("interrupted", "interrupted at")],
)
def test_a_course_that_has_not_arrived_says_how_far_it_came(ending, said):
    course = Course("sync", now_s=61.0, ending=ending, points=SYNC.points[:1])
    assert rows([course])[0].time == f"{said} 1 min 01 s"
    assert line(course, PLAN).startswith(f"sync: {said} 1 min 01 s, accuracy 0.8500; ")


def test_progress_says_how_far_a_course_is():
    assert progress(SYNC, PLAN) == "sync: 990 of 3,600 virtual s, version 6, accuracy 0.8820 of 0.88, 2 s"
    assert progress(Course("sync"), PLAN) == "sync: 0 of 3,600 virtual s, version 0, 0 s"


def test_a_record_is_json_in_seconds_and_bytes():
    plain = json.loads(json.dumps(record(BUFFERED)))
    assert (plain["label"], plain["arrived_s"], plain["newest"]["version"]) == ("buffered:20%", 300.0, 6)
    assert plain["points"][0] == {
        "at_s": 300.0,
        "version": 30,
        "updates": 600,
        "workers": 80,
        "begun": 700,
        "carried_bytes": 40_000_000,
        "accuracy": 0.8801,
    }
    assert (plain["staleness"], plain["median_staleness"]) == ({"0": 100, "2": 500}, 2)
    assert record(LATE)["arrived_s"] is None


@pytest.mark.parametrize("words", ["3 workers", "profile uniform (all alike", "to accuracy 0.88"])
def test_the_heading_says_what_races(words):
    assert words in heading(PLAN)
