import pytest

from zfed.config.schedule_config import SCHEDULES
from zfed.rounds.feasibility import check_plan
from zfed.simulation.coordinator import COORDINATOR
from zfed.simulation.schedule import KINDS, draw_schedule
from zfed.strategies import Needs


def test_a_seed_always_gives_the_same_schedule():
    assert draw_schedule(7) == draw_schedule(7)
    assert draw_schedule(7) != draw_schedule(8)


@pytest.fixture(scope="module")
def drawn():
    return [draw_schedule(seed) for seed in range(300)]


def test_schedules_know_every_kind_of_fault_and_every_kind_of_node(drawn):
    faults = [fault for schedule in drawn for fault in schedule.faults]
    assert {fault.kind for fault in faults} == set(KINDS)
    for kind in ("kill", "power cut", "freeze", "full disk"):
        befell = {node for fault in faults if fault.kind == kind for node in fault.nodes}
        assert {COORDINATOR, "w1", "examiner"} <= befell
    assert {len(schedule.examples) for schedule in drawn} == {1, 2, 3, 4, 5}


def test_runs_wait_in_every_way_that_there_is(drawn):
    rules = [schedule.config.schedule for schedule in drawn]
    assert {each.kind for each in rules} == set(SCHEDULES)
    assert {each.late for each in rules if each.kind == "quorum"} == {"refuse", "carry"}
    assert {each.max_staleness for each in rules if each.kind == "buffered"} >= {0, 1}


def test_no_run_is_drawn_that_would_be_refused_at_its_start(drawn):
    for schedule in drawn:
        check_plan(schedule.config, Needs())


def test_some_workers_send_what_is_no_good_where_there_are_enough_others(drawn):
    spoilt = [schedule for schedule in drawn if schedule.spoilt]
    assert len(drawn) / 20 < len(spoilt) < len(drawn) / 5
    assert all(schedule.config.run.min_workers < len(schedule.examples) for schedule in spoilt)
    assert len({str(schedule.spoilt.value) for schedule in spoilt}) == 3


def test_deaths_come_at_once_between_effects_and_at_disk_calls(drawn):
    deaths = [fault for schedule in drawn for fault in schedule.faults if fault.kind in ("kill", "power cut")]
    assert {(fault.effects > 0, fault.disk_calls > 0) for fault in deaths} == {
        (False, False),
        (True, False),
        (False, True),
    }


def test_all_faults_are_over_when_peace_is_made_and_the_run_has_time_left(drawn):
    for schedule in drawn:
        assert all(fault.at + fault.lasting_s <= schedule.peace_at for fault in schedule.faults)
        assert schedule.end_by > schedule.peace_at + schedule.config.run.rounds * schedule.work_s[1]


def test_a_schedule_without_some_faults_has_the_others():
    schedule = draw_schedule(1)
    assert schedule.without(()) == schedule
    assert schedule.without({0, 2}).faults == (schedule.faults[1], *schedule.faults[3:])
