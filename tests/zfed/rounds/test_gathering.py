from hypothesis import given
from hypothesis import strategies as st

from tests.zfed.rounds.driver import evaluator, ready
from zfed.rounds.cohort import Roster
from zfed.rounds.gathering import Gathering

GRACE_S = 10.0
DEADLINE = 60.0


def gathering(*expected, needed=1, open_at=0.0):
    return Gathering(
        expected=set(expected), needed=needed, grace_s=GRACE_S, open_at=open_at, deadline=DEADLINE
    )


def here(*workers):
    return Roster(ready(name) for name in workers)


def test_nothing_opens_while_too_few_are_here():
    waiting = gathering("alice", "bob", needed=2)
    assert not waiting.is_over(here("alice"), DEADLINE - 1)
    assert waiting.next_wake == DEADLINE


def test_an_evaluator_is_no_worker():
    roster = Roster([evaluator("alice")])
    assert not gathering("alice").is_over(roster, 1.0)


def test_it_is_over_as_soon_as_everybody_expected_is_here():
    waiting = gathering("alice", "bob", open_at=50.0)
    assert not waiting.is_over(here("alice"), 1.0)
    assert waiting.is_over(here("alice", "bob"), 1.0)


def test_where_nobody_is_expected_enough_are_enough():
    waiting = gathering(needed=2)
    assert not waiting.is_over(here("carol"), 1.0)
    assert waiting.is_over(here("carol", "dave"), 1.0)


def test_whoever_is_back_first_gives_the_others_their_grace():
    waiting = gathering("alice", "bob")
    assert not waiting.is_over(here("alice"), 20.0)
    assert waiting.next_wake == 30.0
    assert not waiting.is_over(here("alice"), 29.9)
    assert waiting.is_over(here("alice"), 30.0)


def test_the_grace_begins_anew_when_there_are_enough_again():
    waiting = gathering("alice", "bob")
    waiting.is_over(here("alice"), 20.0)
    waiting.is_over(here(), 22.0)
    assert waiting.next_wake == DEADLINE
    assert not waiting.is_over(here("bob"), 25.0)
    assert waiting.next_wake == 35.0


def test_the_grace_is_never_shorter_than_the_time_that_was_set():
    waiting = gathering("alice", "bob", open_at=40.0)
    assert not waiting.is_over(here("alice"), 1.0)
    assert waiting.next_wake == 40.0
    assert waiting.is_over(here("alice"), 40.0)


def test_at_the_deadline_it_is_over_with_enough_although_their_grace_would_be_longer():
    waiting = gathering("alice", "bob", open_at=2 * DEADLINE)
    assert not waiting.is_over(here("alice"), DEADLINE - 1)
    assert waiting.next_wake == DEADLINE
    assert waiting.is_over(here("alice"), DEADLINE)


def test_whoever_said_goodbye_is_expected_no_more():
    waiting = gathering("alice", "bob")
    assert not waiting.is_over(here("alice"), 1.0)
    waiting.expected.discard("bob")
    assert waiting.is_over(here("alice"), 2.0)


def test_it_says_how_many_are_lacking_and_who_was_here_before():
    assert gathering(needed=2).missing(here("dave"), 7) == "1 more worker for round 7"
    assert gathering("bob", "alice", needed=2).missing(here(), 7) == "2 more workers for round 7 (alice, bob)"
    assert gathering("bob", "alice", needed=2).missing(here("bob"), 7) == "1 more worker for round 7 (alice)"
    assert gathering("bob", "alice").missing(here("bob"), 7) == "alice for round 7"


rosters = st.lists(st.sets(st.sampled_from(["alice", "bob", "carol"])), min_size=1, max_size=6)


@given(rosters, st.sets(st.sampled_from(["alice", "bob"])), st.integers(1, 2), st.floats(0.0, 2 * DEADLINE))
def test_it_never_opens_with_too_few_and_never_misses_its_wake(steps, expected, needed, open_at):
    waiting = gathering(*expected, needed=needed, open_at=open_at)
    for now, names in enumerate(steps):
        over = waiting.is_over(here(*names), float(now))
        assert not over or len(names) >= needed
        assert over or now < waiting.next_wake <= DEADLINE
    last = here(*steps[-1])
    at_the_wake = waiting.is_over(last, max(waiting.next_wake, float(now)))
    assert at_the_wake == (last.worker_count >= needed)
