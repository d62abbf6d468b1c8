import dataclasses
import gc
import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zfed.nodes.update_intake import SPILL_AFTER_S, Arrived, Unfit, UpdateIntake, Wanted
from zfed.params import ParameterBuffer
from zfed.strategies import Bounds
from zfed.wire.credit import SMALL_CHUNK_BYTES as CHUNK
from zfed.wire.digests import blob_of, layout_blob
from zfed.wire.messages import Blob, Chunk, Update, Vector
from zfed.wire.transfer import Puller

DELTA = ParameterBuffer.from_arrays({"w": np.arange(2048, dtype=np.float32) % 32})
WANTED = Wanted(layouts={"delta": DELTA.layout}, version=3, bounds=Bounds(64.0), max_examples=10)


def memory_only(slots):
    return UpdateIntake(lambda job: pytest.fail(f"{job} was ordered"), slots=slots)


class Worker:
    """Offers one update; its puller's pulls are answered when the test says so."""

    def __init__(self, name, intake, number, *, data=None, **changes):
        self.name, self.intake = name, intake
        self.data = DELTA.data.tobytes() if data is None else data
        blob = Blob(id=f"d{number}", bytes=DELTA.layout.nbytes, digest=blob_of("", DELTA.data.data).digest)
        vector = Vector(name="delta", layout=layout_blob("l", DELTA.layout.to_bytes()), data=blob)
        fields = {"assignment": (1, number), "version": 3, "vectors": [vector], "examples": 5, **changes}
        self.update = Update(**fields)
        self.connect()

    def connect(self):
        self.pulls = []
        self.puller = Puller(self.pulls.append)

    def offer(self, now=0.0):
        return self.intake.offer(self.name, self.update, WANTED, self.puller, now)

    def answer(self, now=0.0):
        """Answer the oldest pull; what comes of it."""
        pull = self.pulls.pop(0)
        data = self.data[pull.offset : pull.offset + pull.bytes]
        got = self.puller.receive(Chunk(blob=pull.blob, offset=pull.offset), data, now)
        return [] if got is None else self.intake.received(self.name, got)

    def finish(self):
        events = []
        while self.pulls:
            events += self.answer()
        return events


def test_update_arrives_whole_once_its_last_byte_is_here():
    worker = Worker("alice", memory_only(1), 1)
    assert worker.offer() == []
    assert worker.answer() == []
    [arrived] = worker.finish()
    assert isinstance(arrived, Arrived)
    assert b"".join(bytes(data) for _, data in sorted(arrived.staging.vectors["delta"].chunks)) == worker.data


@pytest.mark.parametrize(
    ("table", "offer", "allowed"),
    [
        ({"batches": 4}, {"steps": 4}, ""),
        ({"batches": 4}, {"steps": 5}, "4"),
        ({"batches": 4}, {"steps": 3}, "4"),
        ({"batches": 4}, {"steps": 3, "limited": "max-seconds"}, ""),
        ({"batches": 4}, {"steps": 5, "limited": "max-seconds"}, "1 to 4"),
        ({"epochs": 2, "batch_size": 3}, {"steps": 8, "examples": 10}, ""),
        ({"epochs": 2, "batch_size": 3}, {"steps": 4, "examples": 5}, ""),
        ({"epochs": 2, "batch_size": 3}, {"steps": 3, "examples": 5}, "4 to 8"),
        ({"batches": 4}, {"steps": 0}, ""),
        ({"epochs": 2}, {"steps": 99}, ""),
    ],
)
def test_an_update_must_have_taken_the_steps_that_were_asked_for(table, offer, allowed):
    worker = Worker("alice", memory_only(1), 1, **offer)
    wanted = dataclasses.replace(WANTED, train=table)
    events = worker.intake.offer("alice", worker.update, wanted, worker.puller, 0.0)
    assert bool(worker.pulls) == (not allowed)  # one that is refused costs no byte
    if allowed:
        [unfit] = events
        assert (unfit.flaw.code, unfit.flaw.seen) == ("configuration", str(offer["steps"]))
        assert unfit.flaw.limit == allowed
        assert f"[train] asks for {allowed}: its task must keep to" in unfit.flaw.reason


def test_slot_is_held_from_the_first_pull_until_the_update_is_folded():
    intake = memory_only(1)
    alice, bob = Worker("alice", intake, 1), Worker("bob", intake, 2)
    alice.offer()
    bob.offer()
    assert bob.pulls == []
    [arrived] = alice.finish()
    intake.folding(arrived.staging)
    intake.fill(0.0)
    assert bob.pulls == []
    intake.folded((1, 1))
    intake.fill(0.0)
    assert bob.pulls


def test_offer_that_comes_twice_takes_one_slot():
    intake = memory_only(2)
    worker = Worker("alice", intake, 1)
    worker.offer()
    worker.offer()
    assert len(worker.finish()) == 1
    assert worker.pulls == []


def test_offer_of_other_bytes_replaces_the_one_before():
    intake = memory_only(1)
    worker = Worker("alice", intake, 1)
    worker.offer()
    worker.answer()
    other = Worker("alice", intake, 1)
    vector = other.update.vectors[0]
    zeros = bytes(DELTA.layout.nbytes)
    changed = Vector(name="delta", layout=vector.layout, data=blob_of("other", zeros))
    other.update, other.data = Update(assignment=(1, 1), version=3, vectors=[changed], examples=5), zeros
    other.offer()
    [arrived] = other.finish()
    assert isinstance(arrived, Arrived)
    assert arrived.staging.update is other.update


def test_offer_of_the_same_bytes_under_another_name_is_pulled_by_that_name():
    intake = memory_only(1)
    worker = Worker("alice", intake, 1)
    worker.offer()
    again = Worker("alice", intake, 2, assignment=(1, 1))
    again.offer()
    assert {pull.blob for pull in again.pulls} == {"d2"}
    [arrived] = again.finish()
    assert isinstance(arrived, Arrived)


def test_worker_that_is_back_pulls_only_what_is_missing():
    intake = memory_only(1)
    worker = Worker("alice", intake, 1)
    worker.offer()
    worker.answer()
    worker.puller.close()
    intake.gone("alice", resume_until=30.0)
    worker.connect()
    worker.offer()
    assert worker.pulls[0].offset == CHUNK
    assert isinstance(worker.finish()[0], Arrived)


def test_what_is_not_resumed_in_time_frees_its_slot():
    intake = memory_only(1)
    alice, bob = Worker("alice", intake, 1), Worker("bob", intake, 2)
    alice.offer()
    intake.gone("alice", resume_until=30.0)
    bob.offer()
    intake.expire(29.9)
    intake.fill(29.9)
    assert bob.pulls == []
    intake.expire(30.0)
    intake.fill(30.0)
    assert bob.pulls


def test_who_does_not_come_back_frees_its_slot_at_once():
    intake = memory_only(1)
    alice, bob = Worker("alice", intake, 1), Worker("bob", intake, 2)
    alice.offer()
    bob.offer()
    intake.gone("alice", resume_until=None)
    intake.fill(0.0)
    assert bob.pulls


def test_dropped_update_is_pulled_no_further():
    intake = memory_only(1)
    worker = Worker("alice", intake, 1)
    worker.offer()
    intake.drop((1, 1))
    assert worker.answer() == []
    assert worker.pulls == []


def test_blob_that_is_gone_drops_its_update():
    intake = memory_only(1)
    worker = Worker("alice", intake, 1)
    worker.offer()
    assert intake.unavailable("bob", "d1") is None
    assert intake.unavailable("alice", "d1") == (1, 1)
    assert intake.unavailable("alice", "d1") is None


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"examples": 11}, "examples"), ({"examples": 0}, "examples"), ({"version": 2}, "version")],
)
def test_claim_that_does_not_fit_is_refused_unread(changes, code):
    worker = Worker("alice", memory_only(1), 1, **changes)
    [unfit] = worker.offer()
    assert (type(unfit), unfit.flaw.code) == (Unfit, code)
    assert worker.pulls == []


@pytest.mark.parametrize("nbytes", [0, DELTA.layout.nbytes - 4, DELTA.layout.nbytes + 4, 1 << 61])
def test_size_that_does_not_fit_the_layout_is_refused_before_room_is_taken(nbytes):
    intake = UpdateIntake(lambda job: pytest.fail(f"{job} was ordered"), slots=0, disk_slots=1)
    worker = Worker("alice", intake, 1)
    [vector] = worker.update.vectors
    blob = Blob(id="d1", bytes=nbytes, digest=vector.data.digest)
    worker.update = Update(
        assignment=(1, 1),
        version=3,
        vectors=[Vector(name="delta", layout=vector.layout, data=blob)],
        examples=5,
    )
    [unfit] = worker.offer(now=SPILL_AFTER_S)
    assert (type(unfit), unfit.flaw.code) == (Unfit, "size")
    assert worker.pulls == []


@pytest.mark.parametrize(
    ("value", "code"),
    [(np.nan, "not-finite"), (np.inf, "not-finite"), (65.0, "value-range"), (1.0, "digest")],
)
def test_bad_numbers_and_other_bytes_are_found_when_all_is_here(value, code):
    bad = DELTA.copy()
    bad["w"][20] = value
    worker = Worker("alice", memory_only(1), 1, data=bad.data.tobytes())
    if code != "digest":
        blob = blob_of("bad", bad.data.data)
        layout = worker.update.vectors[0].layout
        vectors = [Vector(name="delta", layout=layout, data=blob)]
        worker.update = Update(assignment=(1, 1), version=3, vectors=vectors, examples=5)
    worker.offer()
    [unfit] = worker.finish()
    assert (type(unfit), unfit.flaw.code) == (Unfit, code)
    if code == "digest":
        digests = (blob_of("", bad.data.data).digest, worker.update.vectors[0].data.digest)
        assert (unfit.flaw.seen, unfit.flaw.limit) == digests


def test_folded_update_keeps_no_bytes_whoever_else_refers_to_it():
    intake = memory_only(1)
    worker = Worker("alice", intake, 1)
    worker.offer()
    [arrived] = worker.finish()
    delta = arrived.staging.vectors["delta"]
    intake.folding(arrived.staging)
    read = iter(delta.chunks)
    intake.folded((1, 1))
    assert delta.chunks == []
    assert sum(len(data) for _, data in read) == len(worker.data)  # but who was reading is not disturbed


def test_dropped_update_is_freed_at_once_not_when_cycles_are_collected():
    intake = memory_only(1)
    worker = Worker("alice", intake, 1)
    worker.offer()
    worker.answer()
    vector = weakref.ref(intake._staged[1, 1].vectors["delta"])
    gc.disable()
    try:
        intake.drop((1, 1))
        assert vector() is None
    finally:
        gc.enable()


STEPS = st.lists(st.tuples(st.sampled_from(["offer", "answer", "drop", "gone", "fold"]), st.integers(0, 3)))


@given(st.integers(1, 3), STEPS)
def test_no_more_updates_are_under_way_than_there_are_slots(slots, steps):
    intake = memory_only(slots)
    workers = [Worker(f"w{number}", intake, number) for number in range(4)]
    folding = set()
    for step, number in steps:
        worker, assignment = workers[number], (1, number)
        if step == "offer" and assignment not in folding:
            worker.offer()
        elif step == "answer" and worker.pulls:
            for event in worker.answer():
                folding.add(assignment)
                intake.folding(event.staging)
        elif step == "drop":
            intake.drop(assignment)
            intake.fill(0.0)
        elif step == "gone":
            worker.puller.close()
            intake.gone(worker.name, resume_until=10.0)
            worker.connect()
        elif step == "fold" and assignment in folding:
            folding.discard(assignment)
            intake.folded(assignment)
            intake.fill(0.0)
        assert len(intake._staged) + len(folding) <= slots
