"""A coordinator whose links have levels: what it says, serves, takes and refuses."""

import numpy as np
import pytest

from tests.zfed.nodes.scripted_coordinator import Table, buffer
from tests.zfed.simulation.simulated import configured, run_directory
from zfed.compression import FAMILIES, Encodings
from zfed.facts import NodeRefused, RoundCommitted, UpdateRefused
from zfed.nodes.coordinator_words import FoldUpdate, InspectUpdate
from zfed.params import ParameterBuffer
from zfed.wire.digests import blob_of, layout_blob
from zfed.wire.messages import (
    Accepted,
    Committed,
    Evaluate,
    Initialize,
    Pull,
    Refused,
    Train,
    Update,
    Vector,
    Welcome,
)

SIZE = 600
MODEL = buffer(0.25, SIZE)
ENCODINGS = Encodings(MODEL.layout)


@pytest.fixture
def make_table():
    with run_directory() as directory:
        yield lambda **options: Table(
            configured(**{"rounds": 2, "wait_for": "1", "value_range": 8.0, **options}), directory
        )


def join(table, name="alice", kind="worker", **changes):
    return table.connect(name, kind, values=MODEL, compression=list(FAMILIES), **changes)


def offer(node, order, data, *, encoding, claimed=None):
    """Offer an encoded delta; `claimed` bytes instead of its length."""
    blob = blob_of(f"delta:{order.assignment}:{len(node.blobs)}", data)
    node.blobs[blob.id] = data
    if claimed is not None:
        blob = type(blob)(id=blob.id, bytes=claimed, digest=blob.digest)
    layout = layout_blob("layout:delta", MODEL.layout.to_bytes())
    vector = Vector(name="delta", layout=layout, data=blob, encoding=encoding)
    node.say(Update(assignment=order.assignment, version=order.version, vectors=[vector], examples=1))


def delta(value=0.5, level="int8"):
    return ENCODINGS.at(level).encode_once(buffer(value, SIZE), key=1).tobytes()


def model_of(table):
    return table.aggregation.model["w"]


# ---- who is let in --------------------------------------------------------------------------------


def test_welcome_says_what_was_agreed_on(make_table):
    table = make_table(compress="int8", compress_model="bf16", compress_except=["w?"])
    welcome = join(table).last(Welcome)
    assert (welcome.compress, welcome.compress_model, welcome.exact) == ("int8", "bf16", ["w?"])


def test_node_whose_wish_is_not_known_gets_no_welcome(make_table):
    table = make_table()
    alice = join(table, compress="zip")
    assert alice.of(Welcome) == []
    assert alice.last(Refused).code == "compression"
    assert [fact.code for fact in table.told(NodeRefused)] == ["compression"]


def test_node_whose_task_wants_a_tensor_exact_is_turned_away_before_it_is_asked_anything(make_table):
    table = make_table(compress="int8")
    alice = join(table, exact=["w"])
    assert "tensor 'w' must stay exact" in alice.last(Refused).reason
    assert alice.of(Train) == []
    precise = join(table, "bob", exact=["w"], compress="none")
    assert precise.of(Refused) == []


def test_layout_of_a_node_that_was_turned_away_is_not_the_runs(make_table):
    table = make_table(compress="int8")
    alice = join(table, exact=["w"])
    assert alice.of(Refused) != []
    other = buffer(0.25, 2 * SIZE)
    bob = table.connect("bob", "worker", values=other, compression=list(FAMILIES))
    assert bob.of(Refused) == []
    assert bob.of(Initialize) != []
    carol = join(table, "carol")
    assert "is not the run's (first told by bob)" in carol.last(Refused).reason


def test_level_of_the_updates_that_an_evaluator_never_sends_is_no_reason_to_refuse_it(make_table):
    eve = join(make_table(), "eve", "evaluator", compress="int8", exact=["w"])
    assert eve.last(Welcome).compress == "none"
    assert eve.of(Refused) == []


def test_exception_that_fits_no_tensor_ends_the_run_before_anybody_works(make_table):
    table = make_table(compress_except=["v"])
    alice = join(table)
    alice.leave()
    assert table.finish.status == "failed"
    assert "--compress-except: 'v' is to be exact, but fits no tensor" in table.finish.reason


# ---- models on their way out ----------------------------------------------------------------------


def test_links_of_different_levels_get_one_model_each_in_its_own_form(make_table):
    table = make_table(compress_model="bf16", wait_for="3")
    alice, bob = join(table, "alice"), join(table, "bob", compress_model="none")
    carol = join(table, "carol", compress_model="int8")
    orders = table.with_first_model(alice, bob, carol, values=MODEL)
    assert [order.model.encoding for order in orders] == ["bf16", "none", "int8"]
    for node, order in zip((alice, bob, carol), orders, strict=True):
        encoding = ENCODINGS.at(order.model.encoding)
        data = order.model.data
        node.say(Pull(blob=data.id, offset=0, bytes=data.bytes))
        received = node.payloads[data.id, 0]
        decoded = (
            encoding.decode(received)
            if encoding
            else ParameterBuffer(MODEL.layout, np.frombuffer(received, np.uint8))
        )
        np.testing.assert_allclose(decoded["w"], MODEL["w"], rtol=0.01)


def test_evaluator_is_asked_about_the_exact_model_unless_it_wishes_otherwise(make_table):
    table = make_table(rounds=1, compress_model="int8", evaluate={"last": True})
    alice, eve = join(table), join(table, "eve", "evaluator")
    [order] = table.with_first_model(alice, values=MODEL)
    alice.offer(order, buffer(1.0, SIZE))
    assert eve.last(Evaluate).model.encoding == "none"
    eve.go()
    again = join(table, "eve", "evaluator", compress_model="bf16")
    assert again.last(Evaluate).model.encoding == "bf16"


def test_worker_that_comes_back_with_another_wish_gets_its_model_in_that_form(make_table):
    table = make_table(compress_model="int8")
    alice = join(table, instance=1)
    [order] = table.with_first_model(alice, values=MODEL)
    alice.go()
    again = join(table, instance=1, compress_model="fp16").last(Train)
    assert (again.assignment, again.model.encoding) == (order.assignment, "fp16")


# ---- updates on their way in ----------------------------------------------------------------------


@pytest.mark.parametrize("level", ["bf16", "fp16", "int8"])
def test_encoded_update_counts_as_what_it_stands_for(make_table, level):
    table = make_table(compress=level)
    alice = join(table)
    [order] = table.with_first_model(alice, values=MODEL)
    data = delta(0.5, level)
    offer(alice, order, data, encoding=level)
    assert alice.last(Accepted).assignment == order.assignment
    assert alice.last(Committed).version == 1
    np.testing.assert_allclose(model_of(table), 0.75, rtol=1e-2)
    assert table.told(RoundCommitted)[0].bytes_up == len(data)


def test_update_is_looked_at_before_it_is_accepted_and_beside_the_pump(make_table):
    table = make_table(compress="int8")
    alice = join(table)
    [order] = table.with_first_model(alice, values=MODEL)
    jobs = []
    perform = table.aggregation.perform
    table.aggregation.perform = lambda job: (jobs.append((type(job), len(alice.of(Accepted)))), perform(job))[
        1
    ]
    offer(alice, order, delta(), encoding="int8")
    assert [job for job in jobs if job[0] in (InspectUpdate, FoldUpdate)] == [
        (InspectUpdate, 0),
        (FoldUpdate, 1),
    ]


@pytest.mark.parametrize(
    ("encoding", "data", "claimed", "code", "seen"),
    [
        ("int8", delta()[:-1], None, "size", "has 611 bytes, its layout as int8 612"),
        ("int8", delta(), 1 << 50, "size", f"has {1 << 50} bytes, its layout as int8 612"),
        ("bf16", delta(level="bf16"), None, "encoding", "encoded as 'bf16', agreed for this link was 'int8'"),
        ("none", MODEL.data.tobytes(), None, "encoding", "encoded as 'none'"),
        ("int8", b"\xff" * 612, None, "not-finite", "tensor 'w'"),
        ("int8", delta(9.0), None, "value-range", "tensor 'w' is 9"),
    ],
)
def test_encoded_update_that_is_not_acceptable_is_refused_and_nothing_is_touched(
    make_table, encoding, data, claimed, code, seen
):
    table = make_table(compress="int8", wait_for="2")
    alice, bob = join(table, "alice"), join(table, "bob")
    first, second = table.with_first_model(alice, bob, values=MODEL)
    offer(alice, first, data, encoding=encoding, claimed=claimed)
    assert alice.last(Refused).code == code
    assert seen in alice.last(Refused).reason
    assert "alice in round 1" in alice.last(Refused).reason
    assert [fact.code for fact in table.told(UpdateRefused)] == [code]
    offer(bob, second, delta(0.5), encoding="int8")
    assert table.told(RoundCommitted)[0].workers == ["bob"]
    np.testing.assert_allclose(model_of(table), 0.75, rtol=1e-6)


@pytest.mark.parametrize(("code", "claimed"), [("size", 1 << 50)])
def test_update_of_another_size_is_refused_before_a_byte_is_pulled(make_table, code, claimed):
    table = make_table(compress="topk:0.01")
    alice = join(table)
    [order] = table.with_first_model(alice, values=MODEL)
    before = len(alice.of(Pull))
    offer(alice, order, delta(level="topk:0.01"), encoding="topk:0.01", claimed=claimed)
    assert alice.last(Refused).code == code
    assert len(alice.of(Pull)) == before


def test_update_cancelled_while_it_is_looked_at_is_not_counted(make_table):
    table = make_table(compress="int8", rounds=1, round_timeout_s=5.0, round_retries=0)
    alice = join(table)
    [order] = table.with_first_model(alice, values=MODEL)
    perform, held = table.aggregation.perform, []

    def slow(job):
        if isinstance(job, InspectUpdate):
            held.append(job)
            return None
        return perform(job)

    table.aggregation.perform = slow
    offer(alice, order, delta(), encoding="int8")
    table.wait(6.0)
    [job] = held
    assert b"".join(bytes(data) for _, data in job.chunks) == delta()  # a thread may still look at it
    table.handle(perform(job))
    assert alice.of(Accepted) == []
    assert table.told(RoundCommitted) == []


def test_own_model_is_what_the_worker_trained_from_plus_what_it_sent(make_table):
    table = make_table(
        compress="bf16", compress_model="int8", evaluate={"workers": True, "last": True}, rounds=1
    )
    alice, eve = join(table), join(table, "eve", "evaluator")
    [order] = table.with_first_model(alice, values=buffer(1 / 3, SIZE))
    sent = order.model.data
    alice.say(Pull(blob=sent.id, offset=0, bytes=sent.bytes))
    base = ENCODINGS.at("int8").decode(alice.payloads[sent.id, 0])["w"]
    offer(alice, order, delta(0.1, "bf16"), encoding="bf16")
    [own] = [message.model for message in eve.of(Evaluate) if message.subject == "alice"]
    assert own.encoding == "none"
    eve.say(Pull(blob=own.data.id, offset=0, bytes=own.data.bytes))
    seen = np.frombuffer(eve.payloads[own.data.id, 0], np.float32)
    np.testing.assert_array_equal(seen, base + ENCODINGS.at("bf16").decode(delta(0.1, "bf16"))["w"])
