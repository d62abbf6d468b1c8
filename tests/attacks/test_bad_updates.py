"""An enrolled worker that sends updates which must not count, over a real socket."""

import itertools

import numpy as np
import pytest

from tests.attacks.hostile_worker import HostileWorker, tiny_values
from zfed.facts import NodeRefused, RoundCommitted
from zfed.params import ParameterBuffer
from zfed.wire.digests import blob_of, layout_blob
from zfed.wire.messages import Accepted, Committed, Train, Vector

NUMBERS = itertools.count()


@pytest.fixture
def mallory(site):
    """Enrolled, under a name that nobody has a grudge against yet."""
    name = f"mallory-{next(NUMBERS)}"
    with HostileWorker(site.address, name, keys=site.enrolled(name)) as worker:
        yield worker
        worker.leave()


def with_weight(value, place=3):
    values = tiny_values()
    values["weight"][place] = value
    return values


def other_layout(dtype=np.float32, width=999):
    return ParameterBuffer.from_arrays({"weight": np.zeros(width, dtype), "bias": np.zeros(1)})


def assert_refused(site, mallory, order, code):
    refused = mallory.awaits_refusal("update")
    assert (refused.code, refused.assignment) == (code, order.assignment), refused
    assert refused.reason
    mallory.leave()
    assert site.goes_on()
    assert mallory.name not in site.counted()
    lines = [line for line in site.journal("refused") if line["node"] == mallory.name]
    assert [line["code"] for line in lines] == [code]
    return refused.reason


def test_a_good_update_counts_which_is_what_the_others_are_compared_with(site, mallory):
    order = mallory.join()
    mallory.offer(order, tiny_values())
    mallory.awaits(Committed, lambda told: told.assignment == order.assignment)
    site.coordinator.awaited(RoundCommitted, lambda fact: mallory.name in fact.workers)


@pytest.mark.parametrize(
    ("values", "code"),
    [
        pytest.param(with_weight(np.nan), "not-finite", id="NaN"),
        pytest.param(with_weight(-np.inf), "not-finite", id="infinity"),
        pytest.param(with_weight(1e38), "value-range", id="1e38"),
        pytest.param(other_layout(), "layout", id="another shape"),
        pytest.param(other_layout(np.float16, 1000), "layout", id="another dtype"),
    ],
)
def test_numbers_that_would_spoil_the_model_are_refused_with_their_reason(site, mallory, values, code):
    order = mallory.join()
    mallory.offer(order, values)
    reason = assert_refused(site, mallory, order, code)
    if code in ("not-finite", "value-range"):
        assert "weight" in reason


def test_bytes_that_are_not_those_that_were_offered_are_refused(site, mallory):
    order = mallory.join()
    mallory.offer(order, tiny_values(), changed=tiny_values(value=1.0).data.tobytes())
    assert_refused(site, mallory, order, "digest")


def test_more_bytes_than_the_layout_has_are_not_even_pulled(site, mallory):
    order = mallory.join()
    values = tiny_values()
    described = values.layout.to_bytes()
    vector = Vector(
        name="delta",
        layout=layout_blob("layout:delta", described),
        data=blob_of("long", bytes(len(values.data.tobytes()) + 4)),
    )
    mallory.offer(order, values, vectors=[vector])
    assert_refused(site, mallory, order, "size")


@pytest.mark.parametrize("examples", [0, 11, 10**9, 2**62 - 1])
def test_a_weight_beyond_what_was_declared_is_refused(site, mallory, examples):
    order = mallory.join()
    mallory.offer(order, tiny_values(), examples=examples)
    assert_refused(site, mallory, order, "examples")


@pytest.mark.parametrize("examples", [-1, 2**63, 2**64 - 1])
def test_a_weight_that_is_no_count_is_dropped_unheard_and_the_owner_is_told(site, mallory, examples):
    order = mallory.join()
    mallory.offer(order, tiny_values(), examples=examples)
    mallory.leave()
    assert site.goes_on()
    assert mallory.name not in site.counted()
    [told] = site.told(NodeRefused, node=mallory.name)
    assert told.code == "malformed"
    assert "examples" in told.reason


@pytest.mark.parametrize("later", [-1, 1, 1000])
def test_an_update_from_another_version_is_refused(site, mallory, later):
    order = mallory.join()
    mallory.offer(order, tiny_values(), version=order.version + later)
    assert_refused(site, mallory, order, "version")


def test_an_update_under_the_number_of_another_start_of_the_run_is_refused(site, mallory):
    order = mallory.join()
    elsewhere = (order.assignment[0] + 1, order.assignment[1])
    mallory.offer(order, tiny_values(), assignment=elsewhere)
    refused = mallory.awaits_refusal("update")
    assert (refused.code, refused.assignment) == ("stale", elsewhere)
    mallory.leave()
    assert site.goes_on()
    assert mallory.name not in site.counted()


def test_an_update_under_the_number_of_another_worker_is_refused(site, mallory):
    order = mallory.join()
    incarnation, number = order.assignment
    for stolen in ((incarnation, number - 1), (incarnation, number - 2)):  # alice's and bob's of this round
        mallory.offer(order, tiny_values(), assignment=stolen)
        assert mallory.awaits_refusal("update").code == "stale"
    mallory.leave()
    assert site.goes_on()
    assert mallory.name not in site.counted()


def test_a_replayed_upload_counts_once(site, mallory):
    order = mallory.join()
    update = mallory.offer(order, tiny_values())
    mallory.say(update)
    mallory.awaits(Accepted)
    mallory.say(update)
    mallory.awaits(Committed)
    mallory.awaits(Train)  # of the next round: the first one is over
    mallory.say(update)
    mallory.leave()
    assert site.goes_on()
    counted = [line for line in site.journal("committed") if mallory.name in line.get("workers", {})]
    assert len(counted) == 1


def test_who_sends_bad_updates_again_and_again_is_benched_and_not_let_in_again(site):
    name = "mallory-the-stubborn"
    keys = site.enrolled(name)
    with HostileWorker(site.address, name, keys=keys) as worker:
        order = worker.join()
        for strike in (1, 2, 3):
            worker.offer(order, with_weight(np.nan))
            reason = worker.awaits_refusal("update").reason
            assert ("is benched" in reason) == (strike == 3)
            if strike < 3:
                order = worker.awaits(Train, lambda told, last=order: told.assignment != last.assignment)
        assert site.goes_on()
        assert [line["node"] for line in site.journal("benched")] == [name]
        worker.leave()
    with HostileWorker(site.address, name, keys=keys) as again:
        again.greet()
        assert again.awaits_refusal("hello").code == "benched"
    assert name not in site.counted()
