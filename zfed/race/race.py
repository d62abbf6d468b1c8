"""A race: real training and real engines under a virtual clock, one schedule after another."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from zfed.nodes.strategy_choice import configured_strategy
from zfed.race.course import Course
from zfed.race.heat import Heat
from zfed.race.plan import RacePlan
from zfed.race.prepared_once import prepared_once
from zfed.rounds.feasibility import check_plan
from zfed.simulation.profiles import draw_fleet
from zfed.tasks.loading import load_task


class Race:
    """Several runs of one plan, each under another schedule.

    Args:
        plan: What races.
        tell: Is given the course at hand whenever it has changed, and when it has ended.

    Raises:
        ZfedError: If the plan cannot be: an unknown profile, task or schedule, or settings that contradict
            each other.
    """

    def __init__(self, plan: RacePlan, tell: Callable[[Course], None] = lambda course: None) -> None:
        self._plan = plan
        self._tell = tell
        self._entrants = plan.entrants
        for entrant in self._entrants:
            check_plan(entrant.config, configured_strategy(entrant.config).strategy.needs)
        self._fleet = draw_fleet(plan.profile, plan.workers, plan.config.run.seed)
        count = plan.workers + 1  # and the evaluator
        self._tasks = [prepared_once(load_task(plan.task, plan.settings)) for _ in range(count)]
        self._stopped = threading.Event()

    def stop(self, reason: str) -> None:
        """End soon, with what there is; callable from a signal handler."""
        self._stopped.set()

    def run(self) -> list[Course]:
        """The courses of all entrants, or of those that there was time for before `stop`.

        Raises:
            ZfedError: If a task cannot load its data or raises, or a run fails.
        """
        courses: list[Course] = []
        for entrant in self._entrants:
            if self._stopped.is_set():
                break
            began = time.monotonic()
            heat = Heat(self._plan, entrant, self._fleet, self._tasks)
            courses.append(heat.course)
            while not heat.course.ending:
                if heat.step() or self._stopped.is_set():
                    if self._stopped.is_set() and not heat.course.ending:
                        heat.course.ending = "interrupted"
                    heat.course.real_s = time.monotonic() - began
                    self._tell(heat.course)
        return courses
