import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from zfed.errors import CheckpointError, StateInUseError
from zfed.nodes.state_folder import StateFolder
from zfed.nodes.task_state import TaskState
from zfed.nodes.task_states import TaskStates
from zfed.params import ParameterBuffer
from zfed.simulation.fake_disk import FakeDisk, ProcessDied

RUN = "a" * 32
NO_LOCAL = ParameterBuffer.from_arrays({"w": np.zeros(2, np.float32)}).local
FRESH = TaskState({}, NO_LOCAL)
PLACE = Path("/state/alice")


def state(value):
    return TaskState({"value": np.array(value)}, NO_LOCAL)


def value_of(found):
    return int(found.arrays["value"]) if found.arrays else 0


def started(disk, run=RUN):
    """One start of a node that takes part in the run."""
    made = TaskStates(FRESH, StateFolder(PLACE, disk=disk))
    made.enter(run)
    return made


def counting(number, disk=None):
    """States of which so many count: each adds one to what was there."""
    states = started(disk or FakeDisk())
    for step in range(number):
        states.add((1, step), step, state(value_of(states.current()) + 1))
        states.keep((1, step))
    return states


def test_next_start_begins_with_what_counted_last():
    disk = FakeDisk()
    counting(3, disk).add((1, 3), 3, state(99))
    after = started(disk.after_kill())
    assert value_of(after.current()) == 3
    after.keep((1, 3))
    assert value_of(after.current()) == 99


def test_order_decides_what_became_of_an_assignment_of_the_start_before():
    disk = FakeDisk()
    states = counting(1, disk)
    states.add((1, 1), 1, state(2))
    after = started(disk.after_kill())
    after.settle((1, 1), 2)
    assert (value_of(after.current()), after.notes) == (2, [])


def test_task_that_keeps_nothing_leaves_no_trace_on_the_disk():
    disk = FakeDisk()
    states = started(disk)
    states.add((1, 1), 0, FRESH)
    states.settle((1, 1), 1)
    assert not disk.exists(PLACE.parent)
    assert states.current() == FRESH


def test_task_that_keeps_nothing_any_more_begins_afresh_on_the_next_start():
    disk = FakeDisk()
    states = counting(1, disk)
    states.add((1, 1), 1, FRESH)
    states.keep((1, 1))
    assert started(disk.after_kill()).current() == FRESH


def test_run_whose_key_nobody_knows_is_kept_in_memory():
    disk = FakeDisk()
    states = started(disk, run="")
    states.add((1, 1), 0, state(1))
    states.keep((1, 1))
    assert value_of(states.current()) == 1
    assert not disk.exists(PLACE.parent)


def test_each_run_has_states_of_its_own():
    disk = FakeDisk()
    states = counting(2, disk)
    states.enter("b" * 32)
    assert states.current() == FRESH
    states.add((1, 0), 0, state(7))
    states.keep((1, 0))
    states.enter(RUN)
    assert value_of(states.current()) == 2


def damaged(disk, pattern):
    """Flip a bit in the newest file that fits."""
    name = max(name for name in disk.entries(PLACE) if name.endswith(pattern))
    content = bytearray(disk.read(PLACE / name))
    content[-2] ^= 1
    disk.remove(PLACE / name)
    disk.create(PLACE / name).write(bytes(content))
    return name


def test_damaged_state_is_said_and_the_one_before_it_goes_on():
    disk = FakeDisk()
    counting(3, disk)
    disk = disk.after_kill()
    name = damaged(disk, ".safetensors")
    after = started(disk)
    assert value_of(after.current()) == 2
    [note] = after.notes
    assert name in note
    assert "goes on with what it kept after assignment 1.1" in note


def test_damaged_book_is_said_and_the_task_begins_afresh():
    disk = FakeDisk()
    counting(3, disk)
    disk = disk.after_kill()
    name = damaged(disk, ".json")
    after = started(disk)
    assert after.current() == FRESH
    assert name in after.notes[0]
    assert "it begins afresh" in after.notes[0]


def test_missing_state_is_said_once_it_matters():
    states = started(FakeDisk())
    states.settle((1, 7), 3)
    assert states.notes == []  # most tasks keep nothing, and miss nothing
    states.add((1, 8), 3, state(1))
    assert "after assignment 1.7" in states.notes[0]
    states.add((1, 9), 3, state(1))
    assert len(states.notes) == 1


def test_coordinator_that_went_back_finds_the_state_before():
    states = counting(3)
    states.settle((1, 1), 2)
    assert value_of(states.current()) == 2


def test_full_disk_keeps_the_update_back_and_says_so():
    disk = FakeDisk()
    states = counting(1, disk)
    disk.capacity = 0
    with pytest.raises(CheckpointError, match=r"what the task keeps could not be saved.*see --state"):
        states.add((1, 1), 1, state(2))
    states.keep((1, 1))
    assert value_of(states.current()) == 1
    disk.capacity = 1 << 20
    states.add((1, 1), 1, state(2))
    states.keep((1, 1))
    assert value_of(states.current()) == 2


def test_disk_that_is_full_when_the_update_counts_changes_nothing_but_is_said():
    disk = FakeDisk()
    states = counting(1, disk)
    states.add((1, 1), 1, state(2))
    disk.capacity = 0
    states.keep((1, 1))
    assert value_of(states.current()) == 2
    assert "goes on with what is in memory" in states.notes[0]
    after = started(disk.after_kill())
    after.settle((1, 1), 2)
    assert value_of(after.current()) == 2


def test_states_of_another_process_are_taken_over_once_it_has_ended():
    disk = FakeDisk()
    other = counting(2, disk)
    other.add((1, 2), 2, state(3))
    states = started(disk)
    states.settle((1, 2), 3)
    with pytest.raises(StateInUseError):
        states.current()
    other.close()
    assert value_of(states.current()) == 3


class Coordinator:
    """What counts, as the run's committed versions say."""

    def __init__(self):
        self.version = 0
        self.number = 0
        self.counted = None
        self.value = 0


steps = st.lists(
    st.tuples(
        st.sampled_from(["committed", "committed unheard", "refused", "refused unheard", "tried again"]),
        st.one_of(st.just(0), st.integers(1, 60)),
        st.booleans(),
    ),
    min_size=1,
    max_size=8,
)


@settings(deadline=None, max_examples=200)
@example(steps=[("committed", 2, False), ("committed", 0, False), ("committed", 1, True)], seed=0)
@given(steps=steps, seed=st.integers(0, 1000))
def test_state_is_that_of_the_last_assignment_that_counts_wherever_the_node_dies(steps, seed):
    """At any point of any disk call, by a kill or a power cut, and whether it hears what counts or not."""
    chance, disk, run = random.Random(seed), FakeDisk(), Coordinator()
    states = started(disk)
    for fate, dies_in, power_cut in steps:
        run.number += 1
        number, offered = (1, run.number), None
        disk.dies_in = dies_in
        try:
            if run.counted is not None:
                states.settle(run.counted, run.version)
            before = value_of(states.current())
            assert before == run.value
            states.add(number, run.version, state(before + run.number))
            if fate == "tried again":
                states.rename(number, (2, run.number))
                number = (2, run.number)
            offered = before + run.number
        except ProcessDied:
            pass
        if fate.startswith("refused") or offered is None:
            outcome = states.drop
        else:
            outcome = states.keep
            run.version, run.counted, run.value = run.version + 1, number, offered
        died = offered is None
        if not died and not fate.endswith("unheard"):
            try:
                outcome(number)
            except ProcessDied:
                died = True
        if died or dies_in:
            disk = disk.after_power_cut(chance) if power_cut else disk.after_kill()
            states = started(disk)
    disk.dies_in = 0
    if run.counted is not None:
        states.settle(run.counted, run.version)
    assert value_of(states.current()) == run.value
    assert states.notes == []
