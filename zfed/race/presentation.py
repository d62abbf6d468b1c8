"""Courses in rows, lines and JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from zfed.race.course import Course, Ending
from zfed.race.plan import RacePlan
from zfed.simulation.profiles import PROFILES
from zfed.telemetry.wording import count, duration, megabytes, plural

_NOT_ARRIVED: Final[dict[Ending, str]] = {
    "out of time": "not in",
    "given up": "given up at",
    "interrupted": "interrupted at",
}


@dataclass(frozen=True)
class Row:
    """A course in words.

    Attributes:
        schedule: As a person wrote it.
        time: Virtual time to the target.
        speed: How much sooner than the first of the race; "" where either has not arrived.
        versions: Committed until then, or until the end if it has not arrived; so are the next four.
        updates: In them.
        workers: Of how many workers these are.
        unused: Pieces of training that were begun and are in no version, with those that are under way.
        traffic: Over all workers' links.
        staleness: Median of all updates.
        accuracy: There, or of the last version that was evaluated.
    """

    schedule: str
    time: str
    speed: str
    versions: str
    updates: str
    workers: str
    unused: str
    traffic: str
    staleness: str
    accuracy: str


def heading(plan: RacePlan) -> str:
    """What races, in a line."""
    return (
        f"{plan.task}, {plural(plan.workers, 'worker')}, data {plan.partition}, "
        f"profile {plan.profile} ({PROFILES[plan.profile].words}), to accuracy {plan.target:g}"
    )


def rows(courses: Sequence[Course]) -> list[Row]:
    """A row for each course."""
    return [_row(course, courses[0]) for course in courses]


def line(course: Course, plan: RacePlan) -> str:
    """A course as a sentence, for a pipe."""
    row = _row(course, course)
    if course.arrival:
        came = f"accuracy {plan.target:g} after {row.time}"
    else:
        came = f"{row.time}, accuracy {row.accuracy or 'unknown'}"
    reached = course.reached
    made = f"{plural(reached.version, 'version')} of {plural(reached.updates, 'update')}"
    return (
        f"{row.schedule}: {came}; {made} from {plural(reached.workers, 'worker')}, "
        f"{row.unused} begun and not used, {row.traffic}, median staleness {row.staleness}"
    )


def progress(course: Course, plan: RacePlan) -> str:
    """How far a course is, while it is computed."""
    reached = "" if course.accuracy is None else f", accuracy {course.accuracy:.4f} of {plan.target:g}"
    return (
        f"{course.label}: {count(course.now_s)} of {count(plan.until_s)} virtual s, "
        f"version {count(course.newest.version)}{reached}, {duration(course.real_s, digits=0)}"
    )


def record(course: Course) -> dict[str, Any]:
    """A course as JSON has it, in seconds and bytes."""
    arrival = course.arrival
    plain = asdict(course)
    plain["staleness"] = {str(behind): updates for behind, updates in sorted(course.staleness.items())}
    return {**plain, "median_staleness": course.median_staleness, "arrived_s": arrival and arrival.at_s}


def _row(course: Course, first: Course) -> Row:
    arrival = course.arrival
    reached, accuracy = course.reached, arrival.accuracy if arrival else course.accuracy
    faster = first.arrival.at_s / arrival.at_s if arrival and first.arrival else None
    return Row(
        schedule=course.label,
        time=_time(course),
        speed="" if faster is None else f"{faster:.1f}x",
        versions=count(reached.version),
        updates=count(reached.updates),
        workers=count(reached.workers),
        unused=count(reached.begun - reached.updates),
        traffic=megabytes(reached.carried_bytes),
        staleness=count(course.median_staleness),
        accuracy="" if accuracy is None else f"{accuracy:.4f}",
    )


def _time(course: Course) -> str:
    if course.arrival:
        return duration(course.arrival.at_s)
    return f"{_NOT_ARRIVED[course.ending]} {duration(course.now_s, digits=0)}"
