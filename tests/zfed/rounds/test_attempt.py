from hypothesis import given
from hypothesis import strategies as st

from tests.zfed.rounds.driver import ready, staged
from zfed.rounds.attempt import Attempt

GRACE_S = 10.0


def attempt(*states, deadline=100.0):
    """One part per state; "lost:5" is a part asked of a worker that was lost at 5 s."""
    made = Attempt(
        round=1,
        number=1,
        version=0,
        equal_weights=False,
        own_models=False,
        opened_at=0.0,
        deadline=deadline,
    )
    for number in range(len(states)):
        made.add(ready(f"w{number}"), (1, number))
    lost = []
    for (assignment, part), state in zip(made.parts.items(), states, strict=True):
        if state.startswith("lost:"):
            lost.append((float(state.removeprefix("lost:")), part.node))
        elif state == "out":
            made.drop(part, "for a test")
        elif state != "asked":
            made.take(part, staged(part.node, assignment))
        if state == "counted":
            made.folded(assignment)
    for lost_at, node in sorted(lost):
        made.gone(node, left=False, now=lost_at)
    return made


def expired(opened, now):
    return [cancel.node for cancel in opened.expire(now, GRACE_S)]


def test_nobody_expires_before_the_deadline():
    opened = attempt("asked", "folding", "counted")
    assert expired(opened, 99.9) == []
    assert opened.missing() == []


def test_at_the_deadline_whoever_is_still_awaited_expires():
    opened = attempt("asked", "folding", "counted", "lost:95", "out")
    assert expired(opened, 100.0) == ["w0", "w3"]
    assert opened.missing()[:2] == ["w0 (no answer by the deadline)", "w3 (no answer by the deadline)"]


def test_a_lost_worker_is_awaited_while_another_computes():
    opened = attempt("asked", "lost:5")
    assert expired(opened, 90.0) == []


def test_when_all_that_are_awaited_are_lost_only_their_grace_is_waited_for():
    opened = attempt("counted", "lost:5", "lost:8")
    assert expired(opened, 17.9) == []
    assert expired(opened, 18.0) == ["w1", "w2"]
    assert opened.missing() == ["w1 (lost, and not back within 10 s)", "w2 (lost, and not back within 10 s)"]


def test_the_next_wake_is_the_deadline_while_somebody_computes():
    assert attempt("asked", "lost:5").next_wake(GRACE_S) == 100.0


def test_the_next_wake_is_the_end_of_the_last_grace_when_all_are_lost():
    assert attempt("counted", "lost:5", "lost:8").next_wake(GRACE_S) == 18.0
    assert attempt("lost:95").next_wake(GRACE_S) == 100.0


def test_there_is_nothing_to_wake_for_when_nobody_is_awaited():
    assert attempt("folding", "counted", "out").next_wake(GRACE_S) is None


def test_a_part_is_settled_once_it_is_counted_or_out():
    assert attempt("counted", "out").settled
    assert not attempt("counted", "folding").settled
    assert not attempt("counted", "asked").settled
    assert not attempt("lost:5").settled


def test_a_worker_that_came_back_is_computing_again():
    opened = attempt("lost:5", "lost:8")
    opened.back("w1")
    assert opened.next_wake(GRACE_S) == 100.0
    opened.gone("w1", left=False, now=20.0)
    assert opened.next_wake(GRACE_S) == 30.0


states = st.lists(st.sampled_from(["asked", "folding", "counted", "out", "lost:5", "lost:8"]), max_size=5)


@given(states)
def test_waking_up_in_time_always_lets_somebody_go(some):
    opened = attempt(*some)
    wake = opened.next_wake(GRACE_S)
    if wake is not None:
        assert expired(opened, wake - 0.1) == []
        assert expired(opened, wake) != []
