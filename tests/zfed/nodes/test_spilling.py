"""Updates that memory has no room for are received into files, if the disk has room for them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.zfed.nodes.test_update_intake import CHUNK, DELTA, Worker
from zfed.errors import CheckpointError
from zfed.nodes.coordinator_words import OpenSpill, ReleaseSpill
from zfed.nodes.spill_jobs import SpillJobs
from zfed.nodes.update_intake import SPILL_AFTER_S, SPILL_RETRY_S, Arrived, NoRoom, Unstored, UpdateIntake
from zfed.wire.transfer import Window

NBYTES = DELTA.layout.nbytes


class Disk:
    """Orders that are carried out when the test says so."""

    def __init__(self, folder, *, slots=1, disk_slots=1):
        self.orders = []
        self.jobs = SpillJobs(folder)
        self.intake = UpdateIntake(self.orders.append, slots=slots, disk_slots=disk_slots)

    def work(self, now=0.0):
        """Do the oldest order; what comes of it."""
        result = self.jobs.perform(self.orders.pop(0))
        return [] if result is None else self.intake.spilled(result, now)

    def work_all(self, now=0.0):
        events = []
        while self.orders:
            events += self.work(now)
        return events

    def busy(self):
        """Alice holds the only slot in memory; bob has waited long enough for the disk."""
        alice, bob = Worker("alice", self.intake, 1), Worker("bob", self.intake, 2)
        alice.offer()
        bob.offer()
        assert self.intake.fill(SPILL_AFTER_S) == []
        return alice, bob


@pytest.fixture
def disk(tmp_path):
    return Disk(tmp_path)


def test_update_goes_to_disk_only_when_no_memory_has_come_free_for_a_while(disk):
    alice, bob = Worker("alice", disk.intake, 1), Worker("bob", disk.intake, 2)
    alice.offer(now=10.0)
    bob.offer(now=11.0)
    disk.intake.fill(10.0 + SPILL_AFTER_S - 0.1)
    assert disk.orders == []
    disk.intake.fill(10.0 + SPILL_AFTER_S)
    assert disk.orders == [OpenSpill(1, NBYTES, 0)]


def test_memory_that_comes_free_in_time_is_given_first(disk):
    alice, bob, carol = (Worker(name, disk.intake, number) for number, name in enumerate("abc"))
    for worker in (alice, bob, carol):
        worker.offer()
    disk.intake.drop(alice.update.assignment)
    disk.intake.fill(SPILL_AFTER_S - 1)
    assert bob.pulls
    disk.intake.fill(SPILL_AFTER_S)
    assert disk.orders == []


def test_nothing_is_pulled_before_the_disk_has_room(disk):
    _, bob = disk.busy()
    assert bob.pulls == []
    disk.work()
    assert bob.pulls


def test_update_has_arrived_when_its_last_byte_is_written(disk):
    _, bob = disk.busy()
    disk.work()
    while bob.pulls:
        assert bob.answer() == []
    [arrived] = disk.work_all()
    assert isinstance(arrived, Arrived)
    chunks = arrived.staging.vectors["delta"].chunks
    assert b"".join(data for _, data in chunks) == bob.data


def test_what_is_not_written_yet_is_not_followed_by_more_than_the_window_lets(disk):
    _, bob = disk.busy()
    bob.puller.window = Window(limit=8 * CHUNK)  # one chunk a peer
    disk.work()
    assert len(bob.pulls) == 1
    bob.answer()
    assert bob.pulls == []
    disk.work()
    assert len(bob.pulls) == 1


def test_full_disk_is_told_once_and_its_update_offered_again(disk):
    _, bob = disk.busy()
    disk.jobs = FullDisk()
    [no_room, unstored] = disk.work(now=SPILL_AFTER_S)
    assert no_room == NoRoom("no room for 1.0 MB in /x")
    assert unstored == Unstored("bob", bob.update)
    bob.offer(now=SPILL_AFTER_S)
    assert disk.orders == []
    disk.intake.fill(SPILL_AFTER_S + SPILL_RETRY_S)
    assert disk.work(now=SPILL_AFTER_S + SPILL_RETRY_S) == [Unstored("bob", bob.update)]


def test_update_that_the_disk_had_no_room_for_gets_memory_when_it_is_free(disk):
    alice, bob = disk.busy()
    disk.jobs = FullDisk()
    disk.work(now=SPILL_AFTER_S)
    bob.offer(now=SPILL_AFTER_S)
    [arrived] = alice.finish()
    disk.intake.folding(arrived.staging)
    disk.intake.folded((1, 1))
    disk.intake.fill(SPILL_AFTER_S)
    assert isinstance(bob.finish()[0], Arrived)


def test_disk_that_fails_in_the_middle_drops_what_it_has(disk, tmp_path):
    _, bob = disk.busy()
    disk.work()
    bob.answer()
    disk.jobs = FullDisk()
    events = disk.work()
    assert [type(event) for event in events] == [NoRoom, Unstored]
    assert bob.puller.held == 0
    assert any(isinstance(order, ReleaseSpill) for order in disk.orders)


def test_worker_that_is_back_goes_on_where_it_stopped_on_disk_too(disk):
    _, bob = disk.busy()
    disk.work()
    bob.answer()
    bob.puller.close()
    disk.intake.gone("bob", resume_until=100.0)
    bob.connect()
    bob.offer()
    assert bob.pulls[0].offset == CHUNK
    while bob.pulls:
        bob.answer()
    assert isinstance(disk.work_all()[0], Arrived)


def test_file_that_is_ready_while_its_worker_is_away_waits_for_it(disk):
    _, bob = disk.busy()
    bob.puller.close()
    disk.intake.gone("bob", resume_until=100.0)
    disk.work()
    assert bob.pulls == []
    bob.connect()
    bob.offer()
    assert bob.pulls


def test_what_becomes_of_a_dropped_update_does_not_matter(disk):
    _, bob = disk.busy()
    disk.work()
    bob.answer()
    disk.intake.drop((1, 2))
    assert bob.puller.held == 0
    assert disk.work_all() == []


class FullDisk(SpillJobs):
    """A disk that never has room."""

    def __init__(self):
        super().__init__(None)

    def _store(self, job):
        raise CheckpointError("no room for 1.0 MB in /x")


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["offer", "answer", "work", "fail", "drop", "gone", "fold", "wait"]),
        st.integers(0, 4),
    )
)


@given(st.integers(1, 2), st.integers(0, 2), STEPS)
def test_slots_hold_and_no_byte_is_counted_for_ever_whatever_happens(
    tmp_path_factory, slots, disk_slots, steps
):
    disk = Disk(tmp_path_factory.getbasetemp(), slots=slots, disk_slots=disk_slots)
    window, now, full = Window(limit=64 * CHUNK), 0.0, FullDisk()
    workers = [Worker(f"w{number}", disk.intake, number) for number in range(5)]
    folding = {}

    def happened(events):
        for event in events:
            if isinstance(event, Arrived):
                folding[event.staging.assignment] = event.staging
                disk.intake.folding(event.staging)
            elif isinstance(event, Unstored):
                workers[event.update.assignment[1]].offer(now)

    for step, number in steps:
        worker, assignment = workers[number], (1, number)
        worker.puller.window = window
        if step == "offer" and assignment not in folding:
            happened(worker.offer(now))
        elif step == "answer" and worker.pulls:
            happened(worker.answer(now))
        elif step == "work" and disk.orders:
            happened(disk.work(now))
        elif step == "fail" and disk.orders:
            result = full.perform(disk.orders.pop(0))
            happened([] if result is None else disk.intake.spilled(result, now))
        elif step == "drop":
            disk.intake.drop(assignment)
        elif step == "gone":
            worker.puller.close()
            disk.intake.gone(worker.name, resume_until=now + 10.0)
            worker.connect()
        elif step == "fold" and folding.pop(assignment, None):
            disk.intake.folded(assignment)
        elif step == "wait":
            now += SPILL_AFTER_S
            happened(disk.intake.fill(now))
        held = [*disk.intake._staged.values(), *disk.intake._folding.values()]
        assert sum(staging.spill is None for staging in held) <= slots
        assert sum(staging.spill is not None for staging in held) <= disk_slots
        assert 0 <= window.used <= window.limit + 5 * CHUNK
    for worker in workers:
        disk.intake.drop(worker.update.assignment)
        disk.intake.folded(worker.update.assignment)
    assert window.used == 0
