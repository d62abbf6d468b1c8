"""How long schedules take to reach an accuracy, in virtual time."""

from zfed.race.course import Course, Point
from zfed.race.plan import RacePlan
from zfed.race.plot import check_plot, draw_race
from zfed.race.presentation import Row, heading, line, progress, record, rows
from zfed.race.race import Race

__all__ = [
    "Course",
    "Point",
    "Race",
    "RacePlan",
    "Row",
    "check_plot",
    "draw_race",
    "heading",
    "line",
    "progress",
    "record",
    "rows",
]
