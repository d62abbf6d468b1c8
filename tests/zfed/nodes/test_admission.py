import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zfed.nodes.admission import (
    Objection,
    PartsHeld,
    RunLayout,
    bench_objection,
    claim_of,
    examples_objection,
    name_objection,
    partition_of,
)
from zfed.params import MAX_DESCRIPTION_BYTES, ParameterBuffer, TensorKind
from zfed.partition import Partition
from zfed.rounds.refusals import Refusals
from zfed.wire.digests import layout_blob
from zfed.wire.messages import Blob, Hello, PartitionClaim
from zfed.wire.roster import Enrolled
from zfed.wire.session_words import Session


def layout_of(**arrays):
    return ParameterBuffer.from_arrays(arrays).layout


HERE = layout_of(w=np.zeros(3, np.float32), b=np.zeros(2, np.float32))
OTHER = layout_of(w=np.zeros((3, 1), np.float32), b=np.zeros(2, np.float32))


def hello(node="alice", layout=HERE, claim=None, kind="worker"):
    return Hello(
        protocol="zfed/1",
        node=node,
        node_kind=kind,
        instance="0" * 32,
        version="0",
        layout=layout_blob("layout", layout.shared.to_bytes()),
        examples=10,
        partition=claim or PartitionClaim(),
    )


def held_by(*hellos):
    parts = PartsHeld()
    for each in hellos:
        parts.hold(each)
    return parts


def described(layout=HERE):
    return [(0, layout.to_bytes())]


def test_nobody_may_be_called_what_the_federated_model_is_called():
    assert name_objection(hello("federated")) is not None
    assert name_objection(hello("alice")) is None


def session_of(examples, enrolled):
    greeting = msgspec.structs.replace(hello(), examples=examples)
    return Session(b"r", 1, greeting, last_heard=0.0, last_ping=0.0, enrolled=enrolled)


@pytest.mark.parametrize("max_examples", [0, 10, 11])
def test_a_node_may_declare_as_many_examples_as_it_was_enrolled_for(max_examples):
    session = session_of(10, Enrolled(node="alice", key="k", max_examples=max_examples))
    assert examples_objection(session) is None


def test_a_node_that_declares_more_than_it_was_enrolled_for_is_told_both_numbers():
    objection = examples_objection(session_of(10, Enrolled(node="alice", key="k", max_examples=9)))
    assert objection == Objection(
        "examples",
        "alice declares 10 examples, it is enrolled for 9 at most: use fewer, or have the coordinator's "
        "owner enrol it again with --max-examples 10",
    )


def test_where_keys_are_not_asked_for_nobody_is_limited():
    assert examples_objection(session_of(10**9, None)) is None


def test_only_who_is_benched_is_turned_away_for_it():
    refusals = Refusals(2)
    refusals.restore({"alice": 2, "bob": 1})
    assert bench_objection(hello("alice"), refusals).code == "benched"
    assert bench_objection(hello("bob"), refusals) is None


# ---- partitions -----------------------------------------------------------------------------------


def test_claim_says_exactly_the_partition():
    partition = Partition.parse(labels="0-3", spec="iid:2/5", seed=7)
    assert partition_of(claim_of(partition)) == partition


@pytest.mark.parametrize(
    "claim",
    [
        PartitionClaim(labels=[3, 1]),
        PartitionClaim(spec="iid:0/10"),
        PartitionClaim(spec="nonsense"),
        PartitionClaim(seed=(1 << 62) - 1),
        PartitionClaim(labels=[]),
    ],
)
def test_hostile_claim_is_an_objection_not_a_crash(claim):
    objection = PartsHeld().objection(hello(claim=claim))
    assert objection is None or objection.reason.startswith("alice claims a partition that cannot be")


@given(st.builds(PartitionClaim, spec=st.text(max_size=40), seed=st.integers(0, 2**62 - 1)))
def test_no_claim_whatever_crashes_the_coordinator(claim):
    held_by(hello("bob", claim=PartitionClaim(spec="iid:1/2"))).objection(hello(claim=claim))


def test_two_workers_on_one_part_cannot_both_take_part():
    claim = PartitionClaim(spec="iid:1/2")
    objection = held_by(hello("bob", claim=claim)).objection(hello(claim=claim))
    assert objection.code == "partition"
    assert objection.reason.startswith("alice and bob cannot both take part")


def test_node_does_not_conflict_with_itself_nor_with_an_evaluator():
    claim = PartitionClaim(spec="iid:1/2")
    assert held_by(hello(claim=claim)).objection(hello(claim=claim)) is None
    assert held_by(hello("eve", claim=claim, kind="evaluator")).objection(hello(claim=claim)) is None


claims = st.builds(
    PartitionClaim,
    labels=st.sampled_from([None, [0, 1], [1, 2], [3]]),
    spec=st.sampled_from(["all", "iid:1/3", "iid:2/3", "iid:3/3", "iid:1/2", "shards:1/3"]),
    seed=st.integers(0, 1),
)


@given(st.lists(claims, max_size=8), st.data())
def test_a_newcomer_is_objected_to_exactly_if_it_conflicts_with_somebody_who_is_here(arriving, data):
    parts, here = PartsHeld(), []
    for number, claim in enumerate(arriving):
        newcomer = hello(f"w{number}", claim=claim)
        pairwise = [partition_of(claim).conflict(partition_of(other.partition)) for other in here]
        assert (parts.objection(newcomer) is not None) == any(pairwise)
        if not any(pairwise):
            parts.hold(newcomer)
            here.append(newcomer)
        if here and data.draw(st.booleans()):
            parts.release(here.pop(data.draw(st.integers(0, len(here) - 1))))


# ---- layouts ----------------------------------------------------------------------------------------


def test_first_layout_becomes_the_runs_and_another_is_refused_by_its_first_difference():
    run = RunLayout()
    assert run.fits(HERE.digest) is None
    assert run.take(hello(), described()) is None
    assert run.fits(HERE.digest) is True
    assert run.fits(OTHER.digest) is False
    objection = run.take(hello("bob", OTHER), described(OTHER))
    assert "the model of bob is not the run's (first told by alice)" in objection.reason
    assert "tensor 'w': shape (3, 1) here, (3,) there" in objection.reason


@given(st.permutations(range(0, len(HERE.to_bytes()), 16)))
def test_description_may_come_in_slices_of_any_order(offsets):
    whole = HERE.to_bytes()
    run = RunLayout()
    assert run.take(hello(), [(offset, whole[offset : offset + 16]) for offset in offsets]) is None
    assert run.layout == HERE


@given(st.binary(max_size=200))
def test_bytes_that_are_no_layout_are_an_objection(data):
    objection = RunLayout().take(hello(), [(0, data)])
    assert objection.code == "layout"


def test_layout_that_is_not_the_one_named_in_hello_is_refused():
    objection = RunLayout().take(hello(), described(OTHER))
    assert "not the one it named" in objection.reason


def test_model_with_nothing_to_share_is_refused():
    nothing = ParameterBuffer.from_arrays({"w": np.zeros(3)}, kinds={"w": TensorKind.LOCAL}).layout
    assert (
        "no parameters to share" in RunLayout().take(hello(layout=nothing), described(nothing.shared)).reason
    )


@pytest.mark.parametrize("nbytes", [0, MAX_DESCRIPTION_BYTES + 1, (1 << 62) - 1])
def test_absurd_length_of_a_description_is_refused_before_a_byte_is_pulled(nbytes):
    claim = msgspec.structs.replace(
        hello(), layout=Blob(id="layout", bytes=nbytes, digest="sha256:" + "0" * 64)
    )
    assert f"has {nbytes} bytes" in RunLayout().too_long(claim).reason
