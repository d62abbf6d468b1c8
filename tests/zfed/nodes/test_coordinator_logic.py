from pathlib import Path

import numpy as np
import pytest

from tests.zfed.checkpoint.limits import largest_file
from tests.zfed.nodes.scripted_coordinator import Table, buffer
from tests.zfed.simulation.simulated import configured, run_directory
from zfed.config import RunConfig
from zfed.facts import (
    Evaluated,
    ModelReady,
    NodeJoined,
    NodeLeft,
    NodeRefused,
    NoRoomToSpill,
    NotWritten,
    Progress,
    RoundCommitted,
    UpdateRefused,
    UploadsPlanned,
)
from zfed.nodes.coordinator_words import JobFailed
from zfed.nodes.farewell import GOODBYE_S
from zfed.nodes.orders import work_seed
from zfed.nodes.reception import IDLE_S
from zfed.nodes.spill_jobs import SpillJobs
from zfed.nodes.update_intake import SPILL_AFTER_S
from zfed.nodes.words import FramesArrived, StopRequested
from zfed.wire.digests import blob_of, layout_blob
from zfed.wire.messages import (
    Accepted,
    Blob,
    Cancel,
    Chunk,
    Committed,
    Ended,
    Evaluate,
    Failed,
    Initialize,
    Pong,
    Pull,
    Refused,
    Train,
    Update,
    Vector,
    Welcome,
)
from zfed.wire.messages import Evaluated as EvaluatedMessage

BIG = 1 << 20
"""Parameters of a model of four chunks."""


@pytest.fixture
def table():
    with run_directory() as directory:
        yield Table(configured(rounds=2, wait_for="2"), directory)


@pytest.fixture
def make_table():
    with run_directory() as directory:
        yield lambda **options: Table(configured(**options), directory)


def pulled(node, blob):
    return [pull.offset for pull in node.of(Pull) if pull.blob == blob]


# ---- who is let in --------------------------------------------------------------------------------


def test_first_node_is_asked_for_its_layout_and_others_with_the_same_are_not(table):
    alice, bob = table.connect("alice"), table.connect("bob")
    assert pulled(alice, "layout") == [0]
    assert pulled(bob, "layout") == []
    assert [fact.node for fact in table.told(NodeJoined)] == ["alice", "bob"]


def test_welcome_says_what_the_nodes_owner_must_know(make_table):
    table = make_table(wait_for="1", evaluate={"workers": True})
    assert table.connect("alice").last(Welcome).announcements == [
        "traffic of this run is neither encrypted nor authenticated",
        "this worker's own model will be evaluated, not only the federated one",
    ]
    assert len(table.connect("eve", "evaluator").last(Welcome).announcements) == 1


def test_node_with_another_layout_is_turned_away_with_the_first_tensor(table):
    table.connect("alice")
    bob = table.connect("bob", values=buffer(size=7))
    assert "tensor 'w': shape (7,) here, (6,) there" in bob.last(Refused).reason
    assert [fact.code for fact in table.told(NodeRefused)] == ["layout"]
    assert not bob.of(Train)


def test_node_whose_layout_has_not_come_yet_is_not_heard(table):
    alice = table.connect("alice", mute=True)
    alice.say(Pull(blob="model:0", offset=0, bytes=1))
    alice.say(Failed(assignment=(1, 1), error="x"))
    assert alice.of(Refused) == []
    assert table.told(NodeJoined) == []


def test_bytes_that_are_no_message_change_nothing(table):
    for frames in ([], [b""], [b"{}"], [b"\xff" * 100], [b"{}", b"x"], [b"x"] * 5):
        table.handle(FramesArrived(b"stranger", frames))
    assert {fact.code for fact in table.told(NodeRefused)} == {"malformed"}
    assert table.unroutable == []


def test_node_that_comes_after_the_end_is_told_that_it_has_ended(table):
    alice = table.connect("alice")
    table.handle(StopRequested("enough"))
    late = table.connect("late")
    assert late.last(Refused).code == "ended"
    alice.leave()
    assert table.finish.status == "stopped"


def test_budget_is_told_once_before_the_first_model_is_asked_for(make_table):
    table = make_table(wait_for="2", memory_budget="1MB")
    alice, _ = table.connect("alice"), table.connect("bob")
    table.connect("charlie", values=buffer(size=7))
    [planned] = table.told(UploadsPlanned)
    assert (planned.budget, planned.origin, planned.in_memory) == (1_000_000, "--memory-budget", 8)
    assert alice.of(Initialize)


def test_budget_too_small_for_the_model_ends_the_run_before_a_byte_of_it_is_received(make_table):
    table = make_table(wait_for="1", memory_budget="100kB")
    alice = table.connect("alice", values=buffer(size=BIG))
    ended = alice.last(Ended)
    assert ended.status == "failed"
    assert "--memory-budget" in ended.reason
    assert alice.of(Initialize) == []
    assert table.told(NodeJoined) == []
    alice.leave()
    assert table.finish.status == "failed"


def test_worker_whose_update_there_is_no_memory_to_keep_is_turned_away_and_the_run_goes_on(make_table):
    model = 4 * BIG  # bytes; reserved are 2 for the models, 8 under way and 1.06 for each update that is kept
    table = make_table(wait_for="2", strategy="median", memory_budget=str(16 * model))
    nodes = [table.connect(f"w{number}", values=buffer(size=BIG)) for number in range(5)]
    [refused] = nodes[4].of(Refused)
    assert refused.code == "memory"
    assert "MB for 5 updates that are compared" in refused.reason
    assert [fact.kept for fact in table.told(UploadsPlanned)] == [2, 3, 4]
    assert len(table.told(NodeJoined)) == 4
    assert nodes[0].of(Initialize)


def test_first_model_of_another_size_than_its_layout_is_refused_before_it_is_pulled(table):
    alice, _ = table.connect("alice"), table.connect("bob")
    order = alice.last(Initialize)
    before = len(alice.of(Pull))
    values = buffer()
    layout = layout_blob("layout:model", values.layout.to_bytes())
    claimed = Blob(id="model", bytes=1 << 40, digest=blob_of("model", values.data.data).digest)
    vector = Vector(name="model", layout=layout, data=claimed)
    alice.say(Update(assignment=order.assignment, version=0, vectors=[vector], examples=1))
    refused = alice.last(Refused)
    assert (refused.code, refused.assignment) == ("size", order.assignment)
    assert "1099511627776 bytes, its layout 24" in refused.reason
    assert len(alice.of(Pull)) == before


# ---- a round by hand ------------------------------------------------------------------------------


def test_round_from_first_model_to_commit(table):
    alice, bob = table.connect("alice", examples=1), table.connect("bob", examples=3)
    train_alice, train_bob = table.with_first_model(alice, bob, values=buffer(1.0))
    assert [fact.source for fact in table.told(ModelReady)] == ["alice"]
    assert train_alice.seed == work_seed(0, "alice", 0) != train_bob.seed

    alice.say(Pull(blob=train_alice.model.data.id, offset=0, bytes=24))
    assert alice.payloads["model:0", 0] == buffer(1.0).data.tobytes()

    alice.offer(train_alice, buffer(4.0))
    assert alice.of(Accepted)
    assert len(alice.of(Committed)) == 1  # that of the first model
    bob.offer(train_bob, buffer(8.0), examples=3)
    assert bob.last(Committed).version == 1
    [fact] = table.told(RoundCommitted)
    assert (fact.workers, fact.weights) == (["alice", "bob"], [0.25, 0.75])
    np.testing.assert_array_equal(table.aggregation.model["w"], np.float32(1 + (4 + 3 * 8) / 4))
    assert alice.last(Train).version == 1


def test_update_offered_again_after_its_commit_is_only_told_so(table):
    alice, bob = table.connect("alice"), table.connect("bob")
    first, second = table.with_first_model(alice, bob)
    update = alice.offer(first, buffer(1.0))
    bob.offer(second, buffer(1.0))
    before = len(alice.of(Pull))
    alice.say(update)
    assert alice.last(Committed).version == 1
    assert len(alice.of(Pull)) == before
    assert len(table.told(RoundCommitted)) == 1


def test_result_for_an_order_that_nobody_gave_is_refused_unread(table):
    alice, bob = table.connect("alice"), table.connect("bob")
    train, _ = table.with_first_model(alice, bob)
    before = len(bob.of(Pull))
    bob.offer(train, buffer(9.0))  # the assignment is alice's
    assert bob.last(Refused).code == "stale"
    assert len(bob.of(Pull)) == before


def test_progress_is_told_once_per_change(table):
    alice = table.connect("alice")
    for done in (1, 1, 2):
        alice.say(Pong(number=1, work="train", done=done, total=3))
    assert [fact.done for fact in table.told(Progress)] == [1, 2]


# ---- updates that are not acceptable --------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "changes", "code"),
    [
        (buffer(size=7), {}, "layout"),
        (buffer(), {"name": "theta"}, "layout"),
        (buffer(), {"examples": 11}, "examples"),
        (buffer(), {"examples": 0}, "examples"),
        (buffer(), {"version": 5}, "version"),
        (buffer(np.nan), {}, "not-finite"),
        (buffer(1e6), {}, "value-range"),
    ],
)
def test_unfit_update_is_refused_by_code_and_the_round_goes_on_without_it(table, values, changes, code):
    alice, bob = table.connect("alice"), table.connect("bob")
    first, second = table.with_first_model(alice, bob)
    alice.offer(first, values, **changes)
    assert alice.last(Refused).code == code
    [fact] = table.told(UpdateRefused)
    assert fact.reason.startswith("update of alice in round 1 refused: ")
    bob.offer(second, buffer(1.0))
    assert table.told(RoundCommitted)[0].workers == ["bob"]


def test_bytes_that_are_not_those_offered_are_refused(table):
    alice, bob = table.connect("alice", mute=True), table.connect("bob")
    alice.mute = False
    alice.answer(alice.last(Pull))
    table.wait(0.5)
    first, _ = table.with_first_model(alice, bob)
    alice.mute = True
    alice.offer(first, buffer(1.0))
    pull = alice.last(Pull)
    alice.say(Chunk(blob=pull.blob, offset=0), buffer(2.0).data.tobytes())
    assert alice.last(Refused).code == "digest"


def test_chunk_of_another_size_than_pulled_is_dropped_and_told(table):
    alice, bob = table.connect("alice"), table.connect("bob")
    first, _ = table.with_first_model(alice, bob)
    alice.mute = True
    alice.offer(first, buffer(1.0))
    alice.say(Chunk(blob=alice.last(Pull).blob, offset=0), b"short")
    assert table.told(NodeRefused)[-1].code == "malformed"
    alice.answer(alice.last(Pull))
    table.wait(0.5)
    assert alice.of(Accepted)


@pytest.mark.parametrize(
    "pull", [Pull(blob="model:0", offset=20, bytes=5), Pull(blob="model:9", offset=0, bytes=1)]
)
def test_pull_of_what_is_not_there_gets_no_bytes(table, pull):
    alice, bob = table.connect("alice"), table.connect("bob")
    table.with_first_model(alice, bob)
    alice.say(pull)
    assert alice.payloads == {}
    assert alice.of(Refused) or table.told(NodeRefused)


# ---- upload slots and coming back -----------------------------------------------------------------


def test_offer_waits_until_a_slot_is_free(make_table):
    table = make_table(wait_for="2", upload_slots=1)
    alice, bob = table.connect("alice"), table.connect("bob")
    first, second = table.with_first_model(alice, bob)
    alice.mute = True
    before = len(bob.of(Pull))
    alice.offer(first, buffer(1.0))
    bob.offer(second, buffer(1.0))
    assert len(bob.of(Pull)) == before
    alice.mute = False
    alice.answer(alice.last(Pull))
    table.wait(0.5)
    assert len(bob.of(Pull)) > before
    assert table.told(RoundCommitted)


def test_worker_that_comes_back_in_time_goes_on_where_its_upload_stopped(make_table):
    table = make_table(wait_for="1", rejoin_grace_s=60.0)
    alice = table.connect("alice", values=buffer(size=BIG))
    [train] = table.with_first_model(alice, values=buffer(size=BIG))
    alice.mute = True
    update = alice.offer(train, buffer(1.0, size=BIG))
    last = alice.last(Pull)
    alice.answer(last)
    table.wait(0.5)
    alice.go()
    table.wait(5)
    again = table.connect("alice", values=buffer(size=BIG), instance=1)
    again.blobs.update(alice.blobs)
    again.say(update)
    assert not set(pulled(again, last.blob)) & set(range(last.offset, last.offset + last.bytes))
    assert table.told(RoundCommitted)
    np.testing.assert_array_equal(table.aggregation.model["w"], np.float32(1.0))


def test_upload_of_a_worker_that_stays_away_frees_its_slot(make_table):
    table = make_table(wait_for="2", upload_slots=1, rejoin_grace_s=600.0, round_timeout_s=600.0)
    alice, bob = table.connect("alice"), table.connect("bob")
    first, second = table.with_first_model(alice, bob)
    alice.mute = True
    alice.offer(first, buffer(1.0))
    alice.go()
    bob.offer(second, buffer(1.0))
    assert not bob.of(Accepted)
    for _ in range(int(RunConfig().resume_window_s) + 1):
        bob.say(Pong(number=1))
        table.wait(1.0)
    assert bob.of(Accepted)


def test_worker_that_cannot_send_its_update_any_more_is_left_out(table):
    alice, bob = table.connect("alice"), table.connect("bob")
    first, second = table.with_first_model(alice, bob)
    alice.mute = True
    alice.offer(first, buffer(1.0))
    alice.say(Refused(about="blob", code="gone", reason="lost it", blob=alice.last(Pull).blob))
    bob.offer(second, buffer(1.0))
    assert table.told(RoundCommitted)[0].workers == ["bob"]


def test_worker_that_is_silent_is_lost_and_its_order_cancelled_at_the_deadline(table):
    alice, bob = table.connect("alice"), table.connect("bob")
    _, second = table.with_first_model(alice, bob)
    bob.offer(second, buffer(1.0))
    for _ in range(30):
        bob.say(Pong(number=1))
        table.wait(1.0)
    assert [fact.node for fact in table.told(NodeLeft)] == ["alice"]
    assert table.told(RoundCommitted)[0].workers == ["bob"]
    assert not bob.of(Cancel)


ONE_IN_MEMORY = {"wait_for": "2", "memory_budget": "312"}
"""The model has 24 bytes: served, sum, next and 8 updates under way are 12 of them, and one is left."""


def test_worker_that_waits_for_a_slow_one_is_received_to_disk_and_counts_as_any(make_table):
    table = make_table(**ONE_IN_MEMORY)
    alice, bob = table.connect("alice"), table.connect("bob")
    first, second = table.with_first_model(alice, bob)
    alice.mute = True
    alice.offer(first, buffer(1.0))
    bob.offer(second, buffer(2.0))
    table.wait(SPILL_AFTER_S)
    assert bob.of(Accepted)
    assert not alice.of(Accepted)
    alice.answer(alice.last(Pull))
    table.wait(0.5)
    assert table.told(RoundCommitted)[0].workers == ["alice", "bob"]
    np.testing.assert_array_equal(table.aggregation.model["w"], np.float32(1.5))


def test_round_ends_although_the_disk_has_no_room_for_who_waits(make_table):
    table = make_table(**ONE_IN_MEMORY)
    table.spills = SpillJobs(Path("/nowhere"))
    alice, bob = table.connect("alice"), table.connect("bob")
    first, second = table.with_first_model(alice, bob)
    alice.mute = True
    alice.offer(first, buffer(1.0))
    bob.offer(second, buffer(2.0))
    table.wait(SPILL_AFTER_S + 1.0)
    [told] = table.told(NoRoomToSpill)
    assert "/nowhere" in told.reason
    alice.answer(alice.last(Pull))
    table.wait(0.5)
    assert table.told(RoundCommitted)[0].workers == ["alice", "bob"]


# ---- evaluation and the end -----------------------------------------------------------------------


def test_evaluator_reads_the_workers_own_model_and_the_federated_one(make_table):
    evaluate = {"first": True, "every": 0, "last": True, "workers": True, "timeout_s": 60.0}
    table = make_table(rounds=1, wait_for="1", evaluate=evaluate)
    examiner, alice = table.connect("examiner", "evaluator"), table.connect("alice")
    [train] = table.with_first_model(examiner, alice, values=buffer(1.0))
    assert train.evaluated
    alice.offer(train, buffer(2.0))
    orders = {order.subject: order for order in examiner.of(Evaluate)}
    assert set(orders) == {"alice", "federated"}
    for order in orders.values():
        examiner.say(Pull(blob=order.model.data.id, offset=0, bytes=24))
        assert examiner.payloads[order.model.data.id, 0] == buffer(3.0).data.tobytes()
        examiner.say(EvaluatedMessage(assignment=order.assignment, examples=5, metrics={"loss": 0.5}))
    assert {fact.subject for fact in table.told(Evaluated)} == {"alice", "federated"}
    for node in (examiner, alice):
        assert node.last(Ended).status == "completed"
        node.leave()
    assert table.finish.evaluated
    assert not list((table.aggregation.directory.path / "updates").iterdir())


def test_stop_ends_the_run_for_everybody_and_waits_for_goodbyes_only_so_long(table):
    alice, bob = table.connect("alice"), table.connect("bob")
    table.handle(StopRequested("interrupted"))
    assert (alice.last(Ended).status, bob.last(Ended).reason) == ("stopped", "interrupted")
    alice.leave()
    assert table.finish is None
    table.wait(GOODBYE_S + 0.5)
    assert table.finish.status == "stopped"
    assert table.logic.next_wake is None


def test_disk_that_fails_ends_the_run_with_its_reason(table):
    alice, bob = table.connect("alice"), table.connect("bob")
    table.with_first_model(alice, bob)
    table.handle(JobFailed("no space left on device"))
    assert alice.last(Ended).status == "failed"
    assert "no space left on device" in alice.last(Ended).reason


def test_first_model_is_asked_of_another_if_the_first_has_none(table):
    alice, bob = table.connect("alice"), table.connect("bob")
    alice.say(Failed(assignment=alice.last(Initialize).assignment, error="no idea"))
    assert bob.of(Initialize)


@pytest.mark.parametrize("names", [("alice", "bob"), ("bob", "alice")])
def test_seed_of_work_depends_on_run_node_and_version_alone(names):
    seeds = {work_seed(run, node, version) for run in (0, 1) for node in names for version in (0, 1)}
    assert len(seeds) == 8
    assert all(0 <= seed < 1 << 62 for seed in seeds)


def pong(node, **work):
    node.say(Pong(number=1, **work))


def test_node_that_is_idle_though_it_was_asked_is_asked_again_under_the_same_number(table):
    alice, bob = table.connect("alice"), table.connect("bob")
    [first, _] = table.with_first_model(alice, bob)
    asked = len(alice.of(Train))
    pong(alice)
    assert len(alice.of(Train)) == asked
    table.wait(IDLE_S)
    pong(alice)
    assert alice.of(Train)[asked:] == [first]


def test_node_that_works_or_whose_update_is_here_is_not_asked_again(table):
    alice, bob = table.connect("alice"), table.connect("bob")
    [first, second] = table.with_first_model(alice, bob)
    alice.mute = True  # its update is offered, and waits
    alice.offer(first, buffer(1.0))
    asked = len(alice.of(Train)) + len(bob.of(Train))
    for _ in range(5):
        pong(alice)
        pong(bob, work="train", assignment=second.assignment)
        table.wait(IDLE_S / 2)
    assert len(alice.of(Train)) + len(bob.of(Train)) == asked


def test_node_that_trains_for_nobody_is_told_again(table):
    alice, bob = table.connect("alice"), table.connect("bob")
    [first, second] = table.with_first_model(alice, bob)
    alice.say(Failed(assignment=first.assignment, error="no"))
    assert not alice.of(Cancel)
    pong(alice, work="train", assignment=first.assignment)
    assert alice.last(Cancel).assignment == first.assignment
    pong(bob, work="train", assignment=second.assignment)
    assert not bob.of(Cancel)


def test_evaluation_is_accepted_only_when_it_is_on_disk_and_as_often_as_it_comes(make_table):
    table = make_table(wait_for="alice,eva", rounds=1, evaluate={"last": True, "timeout_s": 60.0})
    alice, eva = table.connect("alice"), table.connect("eva", "evaluator")
    [train] = table.with_first_model(eva, alice)
    alice.offer(train, buffer(2.0))
    order = eva.last(Evaluate)
    result = EvaluatedMessage(assignment=order.assignment, examples=5, metrics={"loss": 0.5})
    accepted = len(eva.of(Accepted))
    with largest_file(16):
        eva.say(result)
    assert len(eva.of(Accepted)) == accepted
    assert table.told(NotWritten)
    eva.say(result)
    eva.say(result)
    assert len(eva.of(Accepted)) == accepted + 2
    assert len(table.told(Evaluated)) == 1
    lines = (table.aggregation.directory.path / "journal.jsonl").read_text().splitlines()
    assert sum('"event":"evaluated"' in line for line in lines) == 1


def test_node_that_took_part_and_comes_late_is_told_of_the_end_and_a_stranger_is_refused(table):
    alice, bob = table.connect("alice"), table.connect("bob")
    table.with_first_model(alice, bob)
    bob.go()
    table.handle(StopRequested("enough"))
    assert table.connect("bob").last(Ended).reason == "enough"
    assert table.connect("carol").last(Refused).code == "ended"


def test_version_that_the_disk_has_no_room_for_is_committed_once_it_has(table):
    alice, bob = table.connect("alice"), table.connect("bob")
    orders = table.with_first_model(alice, bob)
    alice.offer(orders[0], buffer(1.0))
    with largest_file(16):
        bob.offer(orders[1], buffer(3.0))
        assert not table.told(RoundCommitted)
        assert [fact.what for fact in table.told(NotWritten)][-1] == "version 1"
    table.wait(20.0)
    assert table.told(RoundCommitted)[0].workers == ["alice", "bob"]
    assert alice.last(Committed).version == 1


def test_first_model_that_the_disk_has_no_room_for_is_asked_for_again(table):
    alice, _bob = table.connect("alice"), table.connect("bob")
    with largest_file(16):
        alice.offer(alice.last(Initialize), buffer())
    assert not table.told(ModelReady)
    assert [fact.what for fact in table.told(NotWritten)][-1] == "version 0"
    table.wait(9.0)
    pong(alice, work="initialize")
    table.wait(2.0)
    alice.offer(alice.last(Initialize), buffer())
    assert table.told(ModelReady)
