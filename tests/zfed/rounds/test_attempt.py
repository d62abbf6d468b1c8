from hypothesis import given
from hypothesis import strategies as st

from tests.zfed.rounds.driver import staged
from zfed.rounds.attempt import Attempt
from zfed.rounds.refusals import Refusals
from zfed.rounds.schedule import Schedule
from zfed.strategies import Bounds, Needs, choose_grid

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
        refusals=Refusals(3),
    )
    for number in range(len(states)):
        made.add(f"w{number}", (1, number), 100)
    lost = []
    for (assignment, part), state in zip(made.parts.items(), states, strict=True):
        if state.startswith("lost:"):
            lost.append((float(state.removeprefix("lost:")), part.node))
        elif state == "out":
            made.drop(part, "for a test")
        elif state != "asked":
            made.take(part, staged(part.node, assignment))
        if state == "counted":
            made.folded(assignment, "", 0.0)
    for lost_at, node in sorted(lost):
        made.gone(node, left=False, until=lost_at + GRACE_S)
    return made


def expired(opened, now):
    return [cancel.node for cancel in opened.expire(now)]


def test_only_those_who_are_present_are_asked_when_an_attempt_opens():
    opened = attempt("asked", "lost:5")
    round, *orders = opened.open(Bounds(1.0), {"w0"})
    assert round.cohort == ("w0", "w1")
    assert [part.examples for part in round.parts] == [100, 100]
    assert [order.node for order in orders] == ["w0"]


def test_the_grid_has_room_for_the_largest_factor():
    opened = attempt("asked", "asked")
    opened.needs = Needs(largest_factor=8.0)
    assert opened.open(Bounds(1.0), {})[0].grid == choose_grid([800.0, 800.0], 1.0)


def test_an_update_weighs_its_share_times_the_factor_of_the_strategy():
    opened = attempt("asked")
    opened.needs = Needs(factor=lambda update: 1 / update.steps)
    _, fold, _ = opened.take(opened.parts[1, 0], staged("w0", (1, 0), examples=60))
    assert (fold.update.share, fold.update.weight) == (60.0, 20.0)


def test_an_update_that_the_strategy_cannot_use_is_refused_by_its_name():
    opened = attempt("asked")
    opened.needs = Needs(strategy="qfedavg", metrics=("loss_before",))
    refuse, told = opened.take(opened.parts[1, 0], staged("w0", (1, 0), loss=1.0))
    assert (refuse.code, told.fact.limit) == ("strategy", "loss_before")
    assert "no number 'loss_before' among its metrics, which qfedavg needs" in refuse.reason
    assert opened.parts[1, 0].state == "out"


def test_an_order_names_the_last_update_of_its_worker_that_counts():
    opened = attempt("asked", "asked")
    opened.counted_before = {"w1": ((7, 7), 3)}
    _, first, second = opened.open(Bounds(1.0), {"w0", "w1"})
    assert (first.counted, second.counted) == (None, (7, 7))


def test_what_a_worker_still_owes_is_known_while_it_is_here():
    opened = attempt("asked", "lost:5", "counted")
    owed = [opened.awaited(node) for node in ("w0", "w1", "w2", "w9")]
    assert owed == [opened.find("w0", (1, 0)), None, None, None]
    opened.back("w1")
    assert opened.awaited("w1") is opened.find("w1", (1, 1))


def test_who_is_awaited_and_who_of_them_is_gone_can_be_said():
    assert attempt("asked", "lost:5", "counted", "out", "folding").waits_for() == "w0, w1 (gone)"


def test_the_longest_grace_of_those_who_are_lost_is_waited_for():
    """After a restart all have longer; one that was back and is lost again keeps nobody from it."""
    opened = attempt("asked", "asked")
    opened.gone("w0", left=False, until=60.0)
    opened.gone("w1", left=False, until=12.0)
    assert opened.next_wake == 60.0


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
    assert opened.missing() == ["w1 (lost, and not back in time)", "w2 (lost, and not back in time)"]


def test_the_next_wake_is_the_deadline_while_somebody_computes():
    assert attempt("asked", "lost:5").next_wake == 100.0


def test_the_next_wake_is_the_end_of_the_last_grace_when_all_are_lost():
    assert attempt("counted", "lost:5", "lost:8").next_wake == 18.0
    assert attempt("lost:95").next_wake == 100.0


def test_there_is_nothing_to_wake_for_when_nobody_is_awaited():
    assert attempt("folding", "counted", "out").next_wake is None


def test_a_part_is_settled_once_it_is_counted_or_out():
    assert attempt("counted", "out").settled
    assert not attempt("counted", "folding").settled
    assert not attempt("counted", "asked").settled
    assert not attempt("lost:5").settled


def test_a_worker_that_came_back_is_computing_again():
    opened = attempt("lost:5", "lost:8")
    opened.back("w1")
    assert opened.next_wake == 100.0
    opened.gone("w1", left=False, until=20.0 + GRACE_S)
    assert opened.next_wake == 30.0


states = st.lists(st.sampled_from(["asked", "folding", "counted", "out", "lost:5", "lost:8"]), max_size=5)


@given(states)
def test_waking_up_in_time_always_lets_somebody_go(some):
    opened = attempt(*some)
    wake = opened.next_wake
    if wake is not None:
        assert expired(opened, wake - 0.1) == []
        assert expired(opened, wake) != []


def test_a_grace_that_ends_while_an_update_is_added_wakes_nobody_before_that_is_done():
    opened = attempt("asked", "asked", "asked")
    opened.goal, opened.schedule = 1, Schedule(kind="quorum", grace_s=5.0)
    opened.take(opened.parts[1, 0], staged("w0", (1, 0)))
    opened.folded((1, 0), "", 0.0)
    assert opened.next_wake == 5.0
    opened.take(opened.parts[1, 1], staged("w1", (1, 1)))
    assert not opened.due(6.0)
    assert opened.next_wake == 100.0
    opened.folded((1, 1), "", 6.0)
    assert opened.due(6.0)
