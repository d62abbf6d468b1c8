import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.zfed.rounds.driver import staged
from zfed.rounds.parts import OpenParts, Part, merged_metrics, per_worker, shares

GRACE_S = 10.0


def parts(*states, deadline=100.0):
    """One part per state; "lost:5" is a part asked of a worker that was lost at 5 s."""
    made = {}
    for number, state in enumerate(states):
        name, _, lost_at = state.partition(":")
        part = Part(node=f"w{number}", assignment=(1, number), declared=100)
        part.state = "asked" if name == "lost" else name
        part.lost_at = float(lost_at) if lost_at else None
        made[part.assignment] = part
    return OpenParts(round=1, attempt=1, opened_at=0.0, deadline=deadline, parts=made)


def expired(opened, now):
    return [part.node for part in opened.expire(now, GRACE_S)]


def test_nobody_expires_before_the_deadline():
    opened = parts("asked", "folding", "counted")
    assert expired(opened, 99.9) == []
    assert opened.missing() == []


def test_at_the_deadline_whoever_is_still_awaited_expires():
    opened = parts("asked", "folding", "counted", "lost:95", "out")
    assert expired(opened, 100.0) == ["w0", "w3"]
    assert opened.missing()[:2] == ["w0 (no answer by the deadline)", "w3 (no answer by the deadline)"]


def test_a_lost_worker_is_awaited_while_another_computes():
    opened = parts("asked", "lost:5")
    assert expired(opened, 90.0) == []


def test_when_all_that_are_awaited_are_lost_only_their_grace_is_waited_for():
    opened = parts("counted", "lost:5", "lost:8")
    assert expired(opened, 17.9) == []
    assert expired(opened, 18.0) == ["w1", "w2"]
    assert opened.missing() == ["w1 (lost, and not back within 10 s)", "w2 (lost, and not back within 10 s)"]


def test_the_next_wake_is_the_deadline_while_somebody_computes():
    assert parts("asked", "lost:5").next_wake(GRACE_S) == 100.0


def test_the_next_wake_is_the_end_of_the_last_grace_when_all_are_lost():
    assert parts("counted", "lost:5", "lost:8").next_wake(GRACE_S) == 18.0
    assert parts("lost:95").next_wake(GRACE_S) == 100.0


def test_there_is_nothing_to_wake_for_when_nobody_is_awaited():
    assert parts("folding", "counted", "out").next_wake(GRACE_S) is None


states = st.lists(st.sampled_from(["asked", "folding", "counted", "out", "lost:5", "lost:8"]), max_size=5)


@given(states)
def test_waking_up_in_time_always_lets_somebody_go(some):
    opened = parts(*some)
    wake = opened.next_wake(GRACE_S)
    if wake is not None:
        assert expired(opened, wake - 0.1) == []
        assert expired(opened, wake) != []


def counted(node, weight, examples, **metrics):
    part = Part(node=node, assignment=(1, 1), declared=examples, state="counted", weight=weight)
    part.result = staged(node, part.assignment, examples=examples, **metrics)
    return part


def test_shares_add_up_to_1():
    assert shares([counted("a", 30.0, 30), counted("b", 10.0, 10)]) == [0.75, 0.25]


def test_metrics_are_merged_by_examples_whatever_the_weights():
    both = [counted("a", 1.0, 30, loss=1.0), counted("b", 1.0, 10, loss=2.0)]
    assert merged_metrics(both) == {"loss": pytest.approx(1.25)}


def test_each_workers_own_numbers_are_kept():
    own = per_worker([counted("a", 1.0, 30, loss=1.0)])["a"]
    assert (own.examples, own.steps, own.seconds, own.metrics) == (30, 3, 1.5, {"loss": 1.0})
