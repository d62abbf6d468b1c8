"""What differs between the schedules; test_sync.py is about what they have in common."""

from tests.zfed.rounds.driver import (
    Run,
    asked,
    collecting,
    committed_by,
    ended,
    failed,
    left,
    lost,
    of,
    ready,
    staged,
    unfit,
)
from zfed.config import SelectConfig
from zfed.config.amount import Amount
from zfed.engine import (
    Accept,
    AskTrain,
    Cancel,
    Commit,
    CommitFailed,
    Enlist,
    Fold,
    Folded,
    Keep,
    ModelLoaded,
    OpenRound,
    Refuse,
    TellCommitted,
)
from zfed.facts import RoundCommitted, RoundRetried
from zfed.rounds import Schedule
from zfed.rounds.rounds import COMMIT_AGAIN_S


def goal(number):
    return Amount(count=number)


QUORUM = Schedule(kind="quorum", goal=goal(2))
WITH_GRACE = Schedule(kind="quorum", goal=goal(2), grace_s=5.0)
CARRYING = Schedule(kind="quorum", goal=goal(2), carries=True, max_staleness=2)
BUFFERED = Schedule(kind="buffered", goal=goal(2), carries=True, joins=True, max_staleness=2)
ASYNC = Schedule(kind="async", goal=goal(1), carries=True, joins=True, max_staleness=20)

NAMES = ("alice", "bob", "carol")


def folds(actions):
    return {fold.node: (fold.update.staleness, fold.update.discount) for fold in of(Fold, actions)}


# ---- quorum: first K of N ---------------------------------------------------------------------------


def test_quorum_commits_once_the_goal_is_reached_and_the_others_are_told_to_stop():
    run, orders = collecting(*NAMES, schedule=QUORUM)
    assert of(Commit, run.answer(orders["carol"])) == []
    actions = run.answer(orders["alice"])
    assert committed_by(actions) == ("alice", "carol")
    [cancel] = of(Cancel, actions)
    assert (cancel.node, cancel.assignment) == ("bob", orders["bob"].assignment)
    assert cancel.reason == "round 1 is closed: enough others had answered"


def test_quorum_refuses_what_comes_late_and_asks_everybody_again():
    run, orders = collecting(*NAMES, schedule=QUORUM)
    run.answer(orders["alice"])
    run.answer(orders["carol"])
    again = asked(run.commit(1))
    assert set(again) == set(NAMES)
    assert run.standing("bob", orders["bob"].assignment, version=0) == "stale"
    assert run.fact(RoundCommitted).missing == ["bob (enough others had answered)"]


def test_quorum_takes_no_more_than_its_goal_while_the_last_of_them_is_added():
    run, orders = collecting(*NAMES, schedule=QUORUM)
    for name in ("alice", "bob"):
        run.say(staged(name, orders[name].assignment))
    [refuse] = run.say(staged("carol", orders["carol"].assignment))
    assert (type(refuse), refuse.code) == (Refuse, "stale")
    actions = run.say(*(Folded(assignment=orders[name].assignment) for name in ("alice", "bob")))
    assert committed_by(actions) == ("alice", "bob")


def test_within_the_grace_others_still_count():
    run, orders = collecting(*NAMES, schedule=WITH_GRACE)
    run.answer(orders["alice"])
    run.now = 3.0
    assert of(Commit, run.answer(orders["bob"])) == []
    assert run.engine.next_wake == 8.0
    run.now = 7.0
    assert committed_by(run.answer(orders["carol"])) == NAMES


def test_after_the_grace_the_round_closes():
    run, orders = collecting(*NAMES, schedule=WITH_GRACE)
    run.answer(orders["alice"])
    run.answer(orders["bob"])
    actions = run.wake()
    assert run.now == 5.0
    assert committed_by(actions) == ("alice", "bob")
    assert [cancel.node for cancel in of(Cancel, actions)] == ["carol"]


def test_at_the_deadline_fewer_than_the_goal_do_if_they_are_enough_to_commit():
    run, orders = collecting(*NAMES, schedule=QUORUM)
    run.answer(orders["bob"])
    assert committed_by(run.tick(100.0)) == ("bob",)


def test_with_fewer_than_min_workers_at_the_deadline_the_round_is_tried_again():
    run, orders = collecting(*NAMES, schedule=QUORUM, min_workers=2)
    run.answer(orders["bob"])
    again = asked(run.tick(100.0))
    assert set(again) == set(NAMES)
    assert run.fact(RoundRetried).answered == ["bob"]


def test_a_goal_of_fewer_than_min_workers_waits_for_those():
    run, orders = collecting(*NAMES, schedule=Schedule(kind="quorum", goal=goal(1)), min_workers=2)
    assert of(Commit, run.answer(orders["bob"])) == []
    assert committed_by(run.answer(orders["carol"])) == ("bob", "carol")


def test_a_share_of_the_cohort_is_a_goal_too():
    run, orders = collecting(*NAMES, schedule=Schedule(kind="quorum", goal=Amount.parse("50%", "--goal")))
    run.answer(orders["alice"])
    assert committed_by(run.answer(orders["bob"])) == ("alice", "bob")


# ---- what goes on beyond its round ------------------------------------------------------------------


def carried():
    """Round 2 is open; carol is still at work for round 1."""
    run, orders = collecting(*NAMES, schedule=CARRYING, rounds=9)
    run.answer(orders["alice"])
    actions = run.answer(orders["bob"])
    assert of(Cancel, actions) == []
    return run, orders["carol"], asked(run.commit(1))


def test_who_is_at_work_goes_on_and_the_others_are_asked_for_the_next_round():
    run, carols, orders = carried()
    assert set(orders) == {"alice", "bob"}
    assert run.standing("carol", carols.assignment, version=0) == "wanted"
    assert run.engine.base_version("carol", carols.assignment) == 0
    assert run.engine.versions == {0, 1}


def test_a_late_update_counts_in_the_round_that_is_open_as_a_stale_one():
    run, carols, orders = carried()
    actions = run.answer(carols)
    [fold] = of(Fold, actions)
    assert (fold.round, fold.update.staleness, fold.update.share) == (2, 1, 100.0)
    assert fold.update.weight == 100.0 * CARRYING.staleness.factor(1)
    actions = run.answer(orders["bob"])
    assert set(committed_by(actions)) == {"bob", "carol"}
    told = run.commit(2)
    assert {each.node for each in of(TellCommitted, told)} == {"bob", "carol"}
    assert run.fact(RoundCommitted).per_worker["carol"].staleness == 1
    assert set(asked(told)) == {"bob", "carol"}  # alice is at work


def test_what_is_too_stale_by_now_is_cancelled_and_its_worker_asked_anew():
    run, carols, orders = carried()
    for version in (2, 3):
        for name in ("alice", "bob"):
            actions = run.answer(orders[name])
        told = run.commit(version)
        orders = asked(told)
    [cancel] = of(Cancel, told)
    assert (cancel.node, cancel.assignment) == ("carol", carols.assignment)
    assert (
        cancel.reason
        == "it starts from version 0, the run is at 3 and allows 2 versions: see --max-staleness"
    )
    assert orders["carol"].version == 3
    assert of(Commit, actions)


def test_what_comes_while_a_version_is_written_waits_for_the_next_round():
    run, orders = collecting(*NAMES, schedule=CARRYING, rounds=9)
    run.answer(orders["alice"])
    run.answer(orders["bob"])
    assignment = orders["carol"].assignment
    assert run.say(staged("carol", assignment)) == [
        Accept(node="carol", assignment=assignment),
        Keep(assignment=assignment),
    ]
    assert run.standing("carol", assignment, version=0) == "accepted"
    opened, *others = run.commit(1)[2:]
    assert isinstance(opened, OpenRound)
    assert folds(others) == {"carol": (1, CARRYING.staleness.factor(1))}
    assert set(asked(others)) == {"alice", "bob"}


def test_what_waits_is_held_to_the_bounds_of_the_round_in_which_it_counts():
    run, orders = collecting(*NAMES, schedule=CARRYING, rounds=9)
    run.answer(orders["alice"], largest=2.0**-12)
    run.answer(orders["bob"], largest=2.0**-12)
    run.say(staged("carol", orders["carol"].assignment, largest=0.5))
    [refuse] = of(Refuse, run.commit(1))
    assert (refuse.node, refuse.code) == ("carol", "value-range")
    assert "holds 0.5, the largest value allowed by now is 0.25: see --value-range" in refuse.reason


def test_a_disk_without_room_keeps_what_goes_on():
    run, orders = collecting(*NAMES, schedule=CARRYING, rounds=9)
    run.answer(orders["alice"])
    run.answer(orders["bob"])
    run.say(staged("carol", orders["carol"].assignment))
    run.say(CommitFailed(reason="no room", again=True))
    [commit] = run.tick(run.now + COMMIT_AGAIN_S)
    assert commit.workers == ("alice", "bob")
    assert folds(run.commit(1)) == {"carol": (1, CARRYING.staleness.factor(1))}


def test_a_worker_that_comes_back_goes_on_with_what_it_was_asked_rounds_ago():
    run, carols, _ = carried()
    run.say(lost("carol"))
    assert run.say(ready("carol")) == [carols]


def test_a_worker_that_was_away_while_a_version_was_written_is_told_again_what_it_is_to_do():
    run, orders = collecting(*NAMES, schedule=CARRYING, rounds=9)
    run.answer(orders["alice"])
    run.answer(orders["bob"])
    run.say(lost("carol"), ready("carol"))
    assert asked(run.commit(1))["carol"].assignment == orders["carol"].assignment


def test_who_goes_on_has_all_its_time_from_when_it_was_asked():
    run, orders = collecting(*NAMES, schedule=CARRYING, rounds=9)
    run.now = 60.0
    run.answer(orders["alice"])
    run.answer(orders["bob"])
    run.commit(1)
    assert run.engine.next_wake <= 100.0
    [cancel] = of(Cancel, run.tick(100.0))
    assert (cancel.node, cancel.assignment) == ("carol", orders["carol"].assignment)


def test_a_round_without_enough_updates_is_tried_again_with_what_it_had():
    run, carols, orders = carried()
    run.engine.needs = type(run.engine.needs)(updates=3)
    run.answer(orders["alice"])
    run.say(failed("bob", orders["bob"].assignment), failed("carol", carols.assignment))
    actions = run.wake()
    again = asked(actions)
    assert len(of(AskTrain, actions)) == len(again)
    assert run.fact(RoundRetried).answered == ["alice"]
    assert again["alice"].version == 1
    assert again["alice"].assignment != orders["alice"].assignment  # it still holds that update
    assert set(again) == set(NAMES)


def test_the_version_of_a_late_update_is_served_until_it_is_part_of_one():
    run, carols, orders = carried()
    run.answer(carols)
    assert run.engine.versions == {0, 1}  # the round may come to nothing, and carol's order names it again
    run.answer(orders["bob"])
    run.commit(2)
    assert run.engine.versions == {1, 2}


def test_a_bad_late_update_is_a_strike_like_any_other():
    run, carols, _ = carried()
    [refuse] = run.say(unfit("carol", carols.assignment))
    assert refuse.node == "carol"
    assert run.engine.refusals.strikes["carol"] == 1


def test_when_the_last_version_is_there_nobody_goes_on():
    run, orders = collecting(*NAMES, schedule=CARRYING, rounds=1)
    run.answer(orders["alice"])
    run.answer(orders["bob"])
    actions = run.commit(1)
    [cancel] = of(Cancel, actions)
    assert (cancel.node, cancel.reason) == ("carol", "the run has all its rounds")
    assert ended(actions).status == "completed"


def waiting_for_another():
    """Too few are here for round 2; carol is, and still at work for round 1."""
    run, orders = collecting(*NAMES, schedule=CARRYING, rounds=9, min_workers=2)
    run.answer(orders["alice"])
    run.answer(orders["bob"])
    run.say(left("alice"), left("bob"))
    run.commit(1)
    assert run.engine.phase == "gathering"
    return run, orders["carol"]


def test_what_is_offered_while_no_round_is_open_is_offered_again_when_one_is():
    run, carols = waiting_for_another()
    assert run.standing("carol", carols.assignment, version=0) == "unknown"
    again = asked(run.say(ready("alice")) + run.tick(run.now + 10.0))
    assert (again["carol"].assignment, again["carol"].version) == (carols.assignment, 0)


def test_what_arrives_while_no_round_is_open_waits_for_one():
    run, carols = waiting_for_another()
    assert run.say(staged("carol", carols.assignment))[1:] == [Keep(assignment=carols.assignment)]
    actions = run.say(ready("alice")) + run.tick(run.now + 10.0)
    assert folds(actions) == {"carol": (1, CARRYING.staleness.factor(1))}


def test_what_is_no_good_is_refused_also_while_no_round_is_open():
    run, carols = waiting_for_another()
    [refuse] = run.say(unfit("carol", carols.assignment))
    assert refuse.node == "carol"
    assert asked(run.say(ready("alice")) + run.tick(run.now + 10.0))["carol"].version == 1


# ---- buffered and async: nobody waits ---------------------------------------------------------------


def test_who_comes_while_a_buffer_is_open_is_asked_at_once():
    run, _ = collecting("alice", "bob", schedule=BUFFERED)
    enlist, order = run.say(ready("carol"))
    assert isinstance(enlist, Enlist)
    assert isinstance(order, AskTrain)
    assert enlist.part.assignment == order.assignment
    assert (order.round, order.version) == (1, 0)


def test_who_comes_with_more_examples_than_the_buffer_was_made_for_is_asked_for_the_next_one():
    run, orders = collecting("alice", "bob", schedule=BUFFERED)
    assert run.say(ready("carol", examples=101)) == []
    run.answer(orders["alice"])
    run.answer(orders["bob"])
    assert set(asked(run.commit(1))) == {"alice", "bob", "carol"}


def test_a_worker_is_asked_again_only_once_its_update_is_in_a_version():
    run, orders = collecting(*NAMES, schedule=BUFFERED)
    assert asked(run.answer(orders["alice"])) == {}
    run.answer(orders["bob"])
    assert set(asked(run.commit(1))) == {"alice", "bob"}


def test_a_version_holds_one_update_of_a_worker_at_most():
    run, orders = collecting(*NAMES, schedule=BUFFERED, rounds=9)
    for version in (1, 2, 3):
        for order in list(orders.values())[:2]:
            actions = run.answer(order)
        workers = committed_by(actions)
        assert len(set(workers)) == len(workers) == 2
        orders = asked(run.commit(version))


def test_the_workers_at_hand_do_if_nobody_else_is_at_work():
    run, orders = collecting(
        *NAMES, schedule=Schedule(kind="buffered", goal=goal(3), carries=True, joins=True)
    )
    run.say(left("carol"))
    run.answer(orders["alice"])
    assert committed_by(run.answer(orders["bob"])) == ("alice", "bob")


def test_async_makes_a_version_of_each_update_and_the_others_fall_behind():
    run, orders = collecting(*NAMES, schedule=ASYNC, rounds=9)
    assert committed_by(run.answer(orders["bob"])) == ("bob",)
    again = asked(run.commit(1))
    assert set(again) == {"bob"}
    assert folds(run.answer(orders["alice"])) == {"alice": (1, ASYNC.staleness.factor(1))}
    run.commit(2)
    assert folds(run.answer(again["bob"])) == {"bob": (1, ASYNC.staleness.factor(1))}
    run.commit(3)
    assert folds(run.answer(orders["carol"])) == {"carol": (3, ASYNC.staleness.factor(3))}


def test_updates_that_wait_count_one_version_after_the_other():
    run, orders = collecting(*NAMES, schedule=ASYNC, rounds=9)
    run.answer(orders["alice"])
    run.say(*(staged(name, orders[name].assignment) for name in ("bob", "carol")))
    assert list(folds(run.commit(1))) == ["bob"]
    assert committed_by(run.say(Folded(assignment=orders["bob"].assignment))) == ("bob",)
    assert folds(run.commit(2)) == {"carol": (2, ASYNC.staleness.factor(2))}


# ---- resuming ---------------------------------------------------------------------------------------


def test_a_resumed_run_knows_the_orders_of_older_rounds():
    run, carols, orders = carried()
    again = run.restarted()
    assert again.engine.versions == {0, 1}
    assert again.say(ready("carol")) == [carols]
    assert again.standing("carol", carols.assignment, version=0) == "wanted"
    assert asked(again.say(ready("alice"))) == {"alice": orders["alice"]}


def test_a_resumed_run_knows_who_joined():
    run, _ = collecting("alice", "bob", schedule=BUFFERED)
    order = asked(run.say(ready("carol")))["carol"]
    again = run.restarted()
    assert again.say(ready("carol")) == [order]


def test_a_run_that_died_when_its_version_was_written_takes_up_what_was_under_way():
    run, orders = collecting(*NAMES, schedule=BUFFERED, rounds=9)
    run.answer(orders["alice"])
    run.answer(orders["bob"])
    again = run.restarted(wrote_commit=True)
    assert again.engine.version == 1
    actions = again.say(ready("alice"), ready("bob"), ready("carol"))
    now = asked(actions)
    assert now["carol"].assignment == orders["carol"].assignment
    assert (now["carol"].version, now["alice"].version) == (0, 1)


# ---- over-selection ---------------------------------------------------------------------------------


def test_a_cohort_of_a_share_is_never_of_fewer_than_it_takes_to_commit():
    run = Run(
        {"wait_for": "3", "min_workers": 3},
        schedule=Schedule(kind="over-select", goal=Amount.parse("50%", "--cohort")),
        select=SelectConfig(cohort="50%"),
    )
    run.say(*(ready(name) for name in NAMES))
    orders = asked(run.say(ModelLoaded(source="a node")))
    assert set(orders) == set(NAMES)
    run.whole_round(orders)
