"""What becomes of updates that nobody wants, at a coordinator with real numbers and files."""

from pathlib import Path

import msgspec
import numpy as np
import orjson
import pytest

from tests.zfed.nodes.scripted_coordinator import Table, buffer
from tests.zfed.simulation.simulated import configured, run_directory
from zfed.checkpoint import RunDirectory
from zfed.facts import NodeRefused, RoundCommitted, UpdateRefused, WorkerBenched
from zfed.nodes.words import FramesArrived
from zfed.params import ParameterBuffer
from zfed.telemetry import metrics_record
from zfed.wire.codec import encode
from zfed.wire.digests import blob_of, layout_blob
from zfed.wire.messages import Accepted, Committed, Ended, Initialize, Pull, Refused, Train, Update, Vector

GOOD = buffer(1.0)


@pytest.fixture
def folder():
    with run_directory() as directory:
        path = directory.path
        directory.close()
        yield path


@pytest.fixture
def make_table(folder):
    """Starts of one coordinator, one after another, in one directory."""
    opened = []

    def make(*, rounds=9, wait_for="2", **options):
        for directory in opened:
            directory.close()
        opened.append(RunDirectory.resume(folder))
        return Table(configured(rounds=rounds, wait_for=wait_for, **options), opened[-1])

    yield make
    for directory in opened:
        directory.close()


def begun(table, *, bob_has=10):
    """Alice, who is honest, bob, who is not, and their orders of round 1."""
    alice, bob = table.connect("alice"), table.connect("bob", examples=bob_has)
    orders = table.with_first_model(alice, bob)
    return alice, bob, *orders


def next_round(alice, bob, orders, bad):
    """Bob offers what is bad, alice what is good; what each is asked then."""
    alice_order, bob_order = orders
    if bob_order is not None:
        bob.offer(bob_order, bad)
    alice.offer(alice_order, GOOD)
    later = bob.last(Train)
    return alice.last(Train), later if later is not bob_order else None


def journaled(folder, event):
    lines = [orjson.loads(line) for line in Path(folder, "journal.jsonl").read_bytes().splitlines()]
    return [
        {key: value for key, value in line.items() if key not in ("crc", "at", "event")}
        for line in lines
        if line["event"] == event
    ]


# ---- what is in it ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "changes", "code", "tensor", "seen", "limit"),
    [
        (buffer(np.nan), {}, "not-finite", "w", "nan", "a finite number"),
        (buffer(np.inf), {}, "not-finite", "w", "inf", "a finite number"),
        (buffer(-1e38), {}, "value-range", "w", "-1e+38", "64"),
        (buffer(50.0), {}, "norm", "w", "122.474", "100"),
        (GOOD, {"examples": 0}, "examples", "", "0", "1 to 10"),
        (GOOD, {"examples": 11}, "examples", "", "11", "1 to 10"),
        (GOOD, {"examples": 1_000_000_000}, "examples", "", "1000000000", "1 to 10"),
        (GOOD, {"examples": 2**62 - 1}, "examples", "", str(2**62 - 1), "1 to 10"),
        (GOOD, {"version": 7}, "version", "", "7", "0"),
    ],
)
def test_a_refusal_says_who_where_what_and_what_was_allowed_on_both_sides_and_in_the_journal(
    make_table, folder, values, changes, code, tensor, seen, limit
):
    table = make_table(max_norm=100.0)
    alice, bob, first, second = begun(table)
    bob.offer(second, values, **changes)
    [fact] = table.told(UpdateRefused)
    said = {"node": "bob", "round": 1, "code": code, "tensor": tensor, "seen": seen, "limit": limit}
    assert {name: getattr(fact, name) for name in said} == said
    assert bob.last(Refused).reason == fact.reason
    assert fact.reason.startswith("update of bob in round 1 refused: ")
    assert all(part in fact.reason for part in (tensor, seen, limit))
    expected = {**said, "reason": fact.reason, "assignment": list(second.assignment)}
    assert journaled(folder, "refused") == [expected]
    alice.offer(first, GOOD)
    [committed] = table.told(RoundCommitted)
    assert (committed.workers, committed.refused) == (["alice"], {code: 1})
    assert metrics_record(committed)["refused"] == {code: 1}
    np.testing.assert_array_equal(table.aggregation.model["w"], GOOD["w"])


@pytest.mark.parametrize(
    ("values", "code"),
    [
        (buffer(size=7), "layout"),
        (ParameterBuffer.from_arrays({"w": np.zeros(6, np.float64)}), "layout"),
        (ParameterBuffer.from_arrays({"w": np.zeros((2, 3), np.float32)}), "layout"),
        (ParameterBuffer.from_arrays({"v": np.zeros(6, np.float32)}), "layout"),
    ],
)
def test_another_shape_dtype_or_name_is_refused_before_a_byte_is_pulled(make_table, values, code):
    table = make_table()
    _, bob, _, second = begun(table)
    before = len(bob.of(Pull))
    bob.offer(second, values)
    assert bob.last(Refused).code == code
    assert len(bob.of(Pull)) == before


@pytest.mark.parametrize("examples", [b"-1", b"9223372036854775808", b"1e9", b'"5"', b"null", b"0.5"])
def test_a_number_of_examples_that_is_none_never_gets_as_far_as_the_gate(make_table, examples):
    table = make_table()
    _, bob, _, second = begun(table)
    vector = Vector(name="delta", layout=layout_blob("l", GOOD.layout.to_bytes()), data=blob_of("d", b"x"))
    update = Update(assignment=second.assignment, version=0, vectors=[vector], examples=3)
    [header] = encode(update, epoch=bob.epoch)
    bob.heard.clear()
    table.handle(FramesArrived(bob.route, [header.replace(b'"examples":3', b'"examples":' + examples)]))
    assert bob.heard == []
    assert table.told(NodeRefused)[-1].code == "malformed"


# ---- whose it is, and of when -----------------------------------------------------------------------


def test_an_update_counts_once_however_often_it_is_offered(make_table):
    table = make_table()
    alice, bob, first, second = begun(table)
    update = bob.offer(second, GOOD)
    bob.say(update)
    assert len(bob.of(Accepted)) == 2
    alice.offer(first, GOOD)
    bob.say(update)
    assert [each.version for each in bob.of(Committed)] == [1, 1]
    assert not table.told(UpdateRefused)
    np.testing.assert_array_equal(table.aggregation.model["w"], GOOD["w"])


def test_what_nobody_asked_for_is_stale_and_changes_nothing(make_table):
    table = make_table()
    alice, bob, first, second = begun(table)
    for assignment in [(1, 10_000), (9, second.assignment[1]), first.assignment]:
        bob.offer(msgspec.structs.replace(second, assignment=assignment), buffer(9.0))
        assert (bob.last(Refused).code, bob.last(Refused).assignment) == ("stale", assignment)
    assert [fact.node for fact in table.told(UpdateRefused)] == ["bob"]  # told once
    alice.offer(first, GOOD)
    bob.offer(second, GOOD)
    [committed] = table.told(RoundCommitted)
    assert (committed.workers, committed.refused) == (["alice", "bob"], {"stale": 3})
    np.testing.assert_array_equal(table.aggregation.model["w"], GOOD["w"])


def test_who_offers_under_anothers_number_does_not_disturb_the_others_upload(make_table):
    table = make_table()
    alice, bob, first, second = begun(table)
    alice.mute = True
    alice.offer(first, GOOD)
    pull = alice.last(Pull)
    bob.offer(first, buffer(9.0))
    assert bob.last(Refused).code == "stale"
    alice.answer(pull)
    bob.offer(second, GOOD)
    assert table.told(RoundCommitted)[0].workers == ["alice", "bob"]


def test_an_update_of_a_round_that_is_over_is_stale(make_table):
    table = make_table(min_workers=1)
    alice, bob, first, second = begun(table)
    alice.offer(first, GOOD)
    bob.leave()
    again = table.connect("bob", instance=2)
    again.offer(second, buffer(9.0))
    assert again.last(Refused).code == "stale"
    np.testing.assert_array_equal(table.aggregation.model["w"], GOOD["w"])


def test_who_is_not_of_the_cohort_is_refused(make_table):
    table = make_table()
    _, _, first, _ = begun(table)
    eve = table.connect("eve")
    eve.offer(first, buffer(9.0))
    assert eve.last(Refused).code == "stale"


# ---- the first model --------------------------------------------------------------------------------


@pytest.mark.parametrize(("value", "code"), [(np.nan, "not-finite"), (1e38, "value-range")])
def test_a_first_model_that_cannot_be_trained_is_refused_and_another_node_is_asked(make_table, value, code):
    table = make_table()
    alice, bob = table.connect("alice"), table.connect("bob")
    alice.offer(alice.last(Initialize), buffer(value))
    assert alice.last(Refused).code == code
    assert alice.last(Refused).reason.startswith("first model of alice refused: tensor 'w' is ")
    [fact] = table.told(UpdateRefused)
    assert (fact.round, fact.tensor) == (0, "w")
    bob.offer(bob.last(Initialize), buffer())
    assert alice.of(Train)  # it may still take part


def test_what_never_changes_in_a_first_model_may_hold_any_finite_number(make_table):
    """Masks of attention are frozen, and hold the most negative float there is."""
    values = ParameterBuffer.from_arrays(
        {"w": np.zeros(6, np.float32), "mask": np.array([np.finfo(np.float32).min])}, kinds={"mask": "frozen"}
    )
    table = make_table(wait_for="1")
    alice = table.connect("alice", values=values)
    parts = {"model": values.moving, "frozen": values.frozen}
    alice.blobs.update((name, part.data.tobytes()) for name, part in parts.items())
    vectors = [
        Vector(
            name=name, layout=layout_blob(name, part.layout.to_bytes()), data=blob_of(name, part.data.data)
        )
        for name, part in parts.items()
    ]
    alice.say(Update(assignment=alice.last(Initialize).assignment, version=0, vectors=vectors))
    assert alice.of(Train)


# ---- the usual norm ---------------------------------------------------------------------------------


def test_an_update_far_longer_than_usual_is_refused(make_table):
    table = make_table(max_norm_ratio=4.0)
    alice, bob, *orders = begun(table)
    for _ in range(3):
        orders = next_round(alice, bob, orders, GOOD)
    alice_order, bob_order = orders
    bob.offer(bob_order, buffer(4.5))
    [fact] = table.told(UpdateRefused)
    norm = np.sqrt(6.0)
    assert (fact.code, fact.seen, fact.limit) == ("norm", f"{4.5 * norm:g}", f"{4 * norm:g}")
    alice.offer(alice_order, buffer(3.9))
    assert table.told(RoundCommitted)[-1].per_worker["alice"].norm == pytest.approx(3.9 * norm)


def test_a_coordinator_that_was_started_again_decides_as_before(make_table):
    table = make_table(max_norm_ratio=4.0)
    alice, bob, *orders = begun(table)
    for _ in range(3):
        orders = next_round(alice, bob, orders, GOOD)
    table = make_table(max_norm_ratio=4.0)
    alice, bob = table.connect("alice"), table.connect("bob")
    bob.offer(bob.last(Train), buffer(4.5))
    assert bob.last(Refused).code == "norm"


# ---- the bench --------------------------------------------------------------------------------------


def bench_bob(table, *, strikes):
    alice, bob, *orders = begun(table)
    for _ in range(strikes):
        orders = next_round(alice, bob, orders, buffer(np.nan))
    return alice, bob, orders


def test_after_so_many_refusals_a_worker_is_benched_and_the_run_goes_on_without_it(make_table, folder):
    table = make_table(strikes=2)
    alice, bob, orders = bench_bob(table, strikes=2)
    assert orders[1] is None
    assert "bob is benched: 2 of its updates were refused" in bob.last(Refused).reason
    [fact] = table.told(WorkerBenched)
    assert (fact.node, fact.round, fact.strikes) == ("bob", 2, 2)
    assert journaled(folder, "benched") == [{"node": "bob", "round": 2, "strikes": 2}]
    for _ in range(7):
        orders = next_round(alice, bob, orders, GOOD)
    assert len(table.told(RoundCommitted)) == 9
    assert bob.of(Ended)  # it was there to the end
    alice.leave()
    bob.leave()
    assert table.finish.status == "completed"


def test_a_benched_worker_that_comes_back_is_turned_away_with_the_reason(make_table):
    table = make_table(strikes=1)
    _, bob, _ = bench_bob(table, strikes=1)
    bob.leave()
    again = table.connect("bob", instance=7)
    assert (again.last(Refused).about, again.last(Refused).code) == ("hello", "benched")
    assert "--strikes" in again.last(Refused).reason
    assert table.told(NodeRefused)[-1].node == "bob"


def test_who_was_benched_is_so_after_a_restart_unless_more_strikes_are_allowed(make_table):
    bench_bob(make_table(strikes=1), strikes=1)
    assert make_table(strikes=1).connect("bob").last(Refused).code == "benched"
    assert not make_table(strikes=2).connect("bob").of(Refused)
