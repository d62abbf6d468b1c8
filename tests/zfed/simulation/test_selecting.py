"""Whole runs in which not everybody is asked: drawn, called so, ready."""

from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path

from tests.zfed.simulation.simulated import KEY, configured, run_once, sized
from zfed.checkpoint import RunDirectory
from zfed.config import ScheduleConfig, SelectConfig
from zfed.facts import NodeLeft, Participation, ReadinessChanged, RoundCommitted, RoundOpened
from zfed.simulation import Simulation
from zfed.simulation.coordinator import COORDINATOR

NAMES = [f"w{place}" for place in range(8)]


def world(tags=lambda name: ()):
    simulation = Simulation()
    for name in NAMES:
        simulation.add(name, sized(2), tags=tags(name))
    return simulation


def selecting(schedule=None, **select):
    config = configured(rounds=6, wait_for="8")
    return replace(config, select=SelectConfig(**select), schedule=ScheduleConfig(**(schedule or {})))


def cohorts(simulation):
    return [fact.cohort for fact in simulation.told(RoundOpened)]


def test_each_round_is_made_by_the_cohort_that_was_drawn_for_it():
    simulation = world()
    assert run_once(simulation, selecting(cohort="3")).finish.status == "completed"
    assert [fact.workers for fact in simulation.told(RoundCommitted)] == cohorts(simulation)
    assert {len(cohort) for cohort in cohorts(simulation)} == {3}
    assert len({tuple(cohort) for cohort in cohorts(simulation)}) > 1


def test_the_same_run_draws_the_same():
    one, other = world(), world()
    for simulation in (one, other):
        run_once(simulation, selecting(cohort="40%", rule="poisson"))
    assert cohorts(one) == cohorts(other)


def resumable(simulation, disk):
    path = Path("/runs/drawn")
    if RunDirectory.holds_run(path, disk=disk):
        return RunDirectory.resume(path, disk=disk, wall_clock=simulation.wall_clock)
    return RunDirectory.create(
        path.parent, path.name, "", disk=disk, wall_clock=simulation.wall_clock, key=KEY
    )


def test_a_run_whose_coordinator_was_killed_knows_at_its_end_who_took_part_all_along():
    simulation = world()
    simulation.host(selecting(cohort="3"), partial(resumable, simulation))
    simulation.at(4.2, lambda: simulation.crash(COORDINATOR))
    simulation.at(5.0, lambda: simulation.restart(COORDINATOR))
    simulation.wait(until=1000.0)
    [report] = simulation.told(Participation)
    committed = simulation.told(RoundCommitted)
    assert report.versions == 6 == len(committed)
    counted = Counter(name for fact in committed for name in fact.workers)
    assert {part.node: part.counted for part in report.workers} == {name: counted[name] for name in NAMES}


def test_only_who_is_called_so_takes_part():
    simulation = world(lambda name: ("gpu", f"site={name[-1]}") if name in NAMES[:5] else ())
    run_once(simulation, selecting(where="gpu,!site=0|1"))
    assert cohorts(simulation) == [["w2", "w3", "w4"]] * 6


def test_who_is_not_ready_stays_and_is_asked_again_once_it_is():
    simulation = world()
    simulation.tell_readiness("w0", "on battery")
    simulation.at(3.5, lambda: simulation.tell_readiness("w0", ""))
    simulation.at(3.5, lambda: simulation.tell_readiness("w1", "busy"))
    assert run_once(simulation, selecting()).finish.status == "completed"
    changes = [(fact.node, fact.unready) for fact in simulation.told(ReadinessChanged)]
    assert sorted(changes) == [("w0", ""), ("w1", "busy")]
    assert not simulation.told(NodeLeft)
    asked = cohorts(simulation)
    assert asked[0] == NAMES[1:]
    assert asked[-1] == [name for name in NAMES if name != "w1"]


def test_who_starts_again_is_as_ready_as_it_was():
    simulation = world()
    simulation.tell_readiness("w0", "on battery")
    simulation.at(2.0, lambda: simulation.crash("w0"))
    simulation.at(2.5, lambda: simulation.restart("w0"))
    run_once(simulation, selecting())
    assert all("w0" not in cohort for cohort in cohorts(simulation))


def test_where_nobody_waits_for_a_cohort_it_limits_how_many_work_at_the_same_time():
    simulation = world()
    working, most = set(), [0]

    def seconds(name, work):
        if work.kind == "train":
            working.add(name)
            most[0] = max(most[0], len(working))
            simulation.at(simulation.clock.now + 1.0, lambda: working.discard(name))
        return 1.0

    simulation.work_s = seconds
    schedule = {"kind": "buffered", "goal": "4"}
    assert run_once(simulation, selecting(schedule, cohort="3")).finish.status == "completed"
    assert most[0] == 3
    committed = simulation.told(RoundCommitted)
    assert [len(fact.workers) for fact in committed] == [4] * 6
    assert set().union(*(fact.workers for fact in committed)) == set(NAMES)
