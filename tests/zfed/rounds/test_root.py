"""The root update of an evaluator, which a strategy like FLTrust needs beside those of the workers."""

import pytest

from tests.zfed.rounds.driver import (
    Run,
    asked,
    collecting,
    committed_by,
    ended,
    evaluator,
    failed,
    left,
    lost,
    of,
    ready,
    staged,
    unfit,
)
from zfed.config import EvaluateConfig
from zfed.config.amount import Amount
from zfed.engine import (
    Accept,
    AskEvaluate,
    AskTrain,
    Cancel,
    Commit,
    Fold,
    Folded,
    ModelLoaded,
    OpenRound,
    TellCommitted,
)
from zfed.facts import (
    RoundCommitted,
    RoundOpened,
    RoundRetried,
    UpdateAccepted,
    UpdateRefused,
    Waiting,
    WorkerBenched,
)
from zfed.rounds.schedule import Schedule
from zfed.strategies import Needs

ROOT = Needs(strategy="fltrust", root=True)


def rooted(*workers, evaluators=("eva",), **settings):
    """A run whose round 1 is open, its orders to the workers and the one to the evaluator."""
    run, orders = collecting(*workers, evaluators=evaluators, needs=ROOT, **settings)
    return run, orders, orders.pop(sorted(evaluators)[-1])


def test_of_two_evaluators_the_one_that_does_not_evaluate_is_asked():
    run, orders, root = rooted("alice", evaluators=("eva", "zoe"), evaluate=EvaluateConfig(every=1))
    assert root.node == "zoe"
    run.answer(orders["alice"])
    run.answer(root)
    actions = run.commit(1)
    assert [order.node for order in of(AskEvaluate, actions)] == ["eva"]
    assert set(asked(actions)) == {"alice", "zoe"}


def test_an_evaluator_without_root_examples_is_not_asked():
    run = Run({"wait_for": "1"}, needs=ROOT)
    run.say(evaluator("eva"), evaluator("zoe", root_examples=False), ready("alice"))
    assert set(asked(run.say(ModelLoaded(source="eva")))) == {"alice", "eva"}


def test_an_evaluator_is_asked_for_an_update_beside_the_workers():
    run, orders, root = rooted("alice", "bob")
    assert set(orders) == {"alice", "bob"}
    assert (root.node, root.version, root.round, root.evaluated) == ("eva", 0, 1, False)
    assert run.fact(RoundOpened).cohort == ["alice", "bob"]


def test_an_open_round_keeps_a_slot_for_the_root_update():
    run = Run({"wait_for": "1"}, needs=ROOT)
    run.say(evaluator(), ready("alice"))
    [opened] = of(OpenRound, run.say(ModelLoaded(source="eva")))
    assert (opened.updates, opened.goal) == (2, 1)
    assert opened.root.node == "eva"
    assert [part.node for part in opened.parts] == ["alice"]


@pytest.mark.parametrize("first", ["workers", "evaluator"])
def test_a_version_is_made_once_the_workers_and_the_evaluator_have_answered(first):
    run, orders, root = rooted("alice", "bob")
    answers = [*orders.values(), root] if first == "workers" else [root, *orders.values()]
    for order in answers[:-1]:
        assert of(Commit, run.answer(order)) == []
    actions = run.answer(answers[-1])
    assert committed_by(actions) == ("alice", "bob")
    assert of(Commit, actions)[0].root.assignment == root.assignment


def test_a_root_update_is_given_to_the_strategy_as_such():
    run, orders, root = rooted("alice")
    accept, fold = run.say(staged("eva", root.assignment, examples=50, norm=2.0))
    assert run.fact(UpdateAccepted).root
    assert accept == Accept(node="eva", assignment=root.assignment)
    assert (fold.root, fold.keep, fold.update.node, fold.update.norm) == (True, False, "eva", 2.0)
    [fold] = of(Fold, run.say(staged("alice", orders["alice"].assignment)))
    assert not fold.root


def test_a_root_update_that_comes_twice_is_only_acknowledged():
    run, _, root = rooted("alice")
    run.answer(root)
    assert run.say(staged("eva", root.assignment)) == [Accept(node="eva", assignment=root.assignment)]
    assert run.standing("eva", root.assignment) == "accepted"


def test_what_is_told_of_a_round_counts_the_workers_alone():
    run, orders, root = rooted("alice", "bob")
    run.answer(root, loss=100.0, norm=50.0)
    run.answer(orders["alice"], loss=1.0, norm=1.0)
    [commit] = of(Commit, run.answer(orders["bob"], loss=3.0, norm=2.0))
    assert commit.norm == 1.0  # the lower median; of all three it would be 2
    actions = run.commit(1)
    fact = run.fact(RoundCommitted)
    assert (fact.workers, fact.train) == (["alice", "bob"], {"loss": 2.0})
    told = [(action.node, action.assignment) for action in of(TellCommitted, actions)]
    assert told[-1] == ("eva", root.assignment)
    assert run.standing("eva", root.assignment) == "committed"
    assert asked(actions)["eva"].counted == root.assignment


# ---- evaluators come and go -------------------------------------------------------------------------


def test_a_run_without_an_evaluator_waits_for_one_and_says_so():
    run = Run({"wait_for": "2"}, needs=ROOT)
    run.say(ready("alice"), ready("bob"))
    assert of(AskTrain, run.say(ModelLoaded(source="bob"))) == []
    assert run.fact(Waiting).missing == "an evaluator with --root-examples for the root update for round 1"
    assert set(asked(run.say(evaluator(), at=3.0))) == {"alice", "bob", "eva"}


def test_a_run_that_no_evaluator_joins_fails_and_says_what_for():
    run = Run({"wait_for": "1"}, needs=ROOT)
    run.say(ready("alice"))
    run.say(ModelLoaded(source="alice"))
    end = ended(run.tick(60.0))
    assert end.reason.startswith(
        "waited 60 s for an evaluator with --root-examples for the root update for round 1;"
    )


def test_an_evaluator_that_was_lost_is_asked_again_when_it_is_back():
    run, _, root = rooted("alice")
    run.say(lost("eva"), at=1.0)
    assert run.engine.awaited("eva") == []
    assert run.say(evaluator(), at=5.0) == [root]
    assert run.engine.awaited("eva") == [root]


def test_a_lost_evaluator_has_time_while_workers_are_at_work_and_its_grace_after():
    run, orders, root = rooted("alice")
    run.say(lost("eva"), at=1.0)
    assert run.tick(50.0) == []
    actions = run.say(
        staged("alice", orders["alice"].assignment),
        Folded(assignment=orders["alice"].assignment),
        at=50.0,
    )
    [cancel] = of(Cancel, actions)
    assert (cancel.node, cancel.assignment) == ("eva", root.assignment)
    assert run.fact(RoundRetried).missing == ["eva (root update: lost, and not back in time)"]
    assert run.engine.phase == "gathering"
    again = asked(run.say(evaluator("zoe"), at=51.0))
    assert set(again) == {"alice", "zoe"}


def test_another_evaluator_makes_the_root_update_if_the_first_left():
    run, orders, _ = rooted("alice", evaluators=("eva", "zoe"))
    again = asked(run.say(left("zoe"), at=1.0))  # at once: alice is at work, and goes on under a new number
    assert set(again) == {"alice", "eva"}
    assert again["alice"].version == orders["alice"].version


def test_a_round_without_its_root_update_makes_no_version_at_the_deadline():
    run, orders, root = rooted("alice")
    run.answer(orders["alice"])
    assert run.engine.next_wake == 30.0  # of the next notice
    actions = run.tick(100.0)
    assert of(Cancel, actions)[0].assignment == root.assignment
    assert of(Commit, actions) == []
    assert run.fact(RoundRetried).missing == ["eva (root update: no answer by the deadline)"]
    assert set(asked(actions)) == {"alice", "eva"}


def test_whoever_watches_is_told_that_the_root_update_is_awaited():
    run, orders, _ = rooted("alice")
    run.answer(orders["alice"])
    run.tick(30.0)
    assert run.fact(Waiting).missing == "round 1 of eva (root update)"
    run.say(lost("eva"), at=90.0)
    run.tick(95.0)
    assert run.fact(Waiting).missing == "round 1 of eva (root update, gone)"


@pytest.mark.parametrize(
    ("event", "why"),
    [
        (lambda root: failed("eva", root.assignment, "ValueError: no"), "its task failed: ValueError: no"),
        (lambda root: unfit("eva", root.assignment), "refused: tensor 'w' is nan"),
    ],
)
def test_a_root_update_that_cannot_be_makes_the_round_be_tried_again(event, why):
    run, orders, root = rooted("alice", round_retries=1)
    run.say(event(root))
    run.answer(orders["alice"])
    actions = run.tick(run.engine.next_wake)
    assert run.fact(RoundRetried).missing == [f"eva (root update: {why})"]
    again = asked(actions)
    run.say(event(again["eva"]))
    run.answer(again["alice"])
    end = ended(run.tick(run.engine.next_wake))
    assert end.reason == (
        "round 1 was tried 2 times and got no root update of an evaluator, which fltrust needs; missing: "
        f"eva (root update: {why}). See --min-workers, --round-timeout, --round-retries"
    )


def test_an_evaluator_whose_root_updates_are_refused_is_not_asked_for_ever():
    run, orders, root = rooted("alice", strikes=1, evaluators=("eva", "zoe"))
    run.say(unfit("zoe", root.assignment))
    assert run.fact(UpdateRefused).node == run.fact(WorkerBenched).node == "zoe"
    run.answer(orders["alice"])
    assert set(asked(run.tick(run.engine.next_wake))) == {"alice", "eva"}


def test_the_update_of_an_attempt_that_is_over_is_stale():
    run, orders, root = rooted("alice")
    run.answer(orders["alice"])
    run.tick(100.0)
    assert run.standing("eva", root.assignment) == "stale"


# ---- other schedules ---------------------------------------------------------------------------------


def test_a_goal_that_is_reached_waits_for_the_root_update():
    schedule = Schedule(kind="quorum", goal=Amount.parse("1", "--goal"))
    run, orders, root = rooted("alice", "bob", schedule=schedule)
    assert of(Commit, run.answer(orders["alice"])) == []
    assert run.engine.next_wake == 30.0  # of the next notice: nothing is due before the root update
    actions = run.answer(root)
    assert committed_by(actions) == ("alice",)
    assert [cancel.node for cancel in of(Cancel, actions)] == ["bob"]


def test_each_version_of_a_buffer_has_a_root_update_of_its_own():
    schedule = Schedule(
        kind="buffered", goal=Amount.parse("1", "--goal"), carries=True, joins=True, max_staleness=5
    )
    run, orders, root = rooted("alice", "bob", schedule=schedule)
    run.answer(orders["alice"])
    run.answer(root)
    following = asked(run.commit(1))
    assert (following["eva"].version, following["eva"].round) == (1, 2)
    run.answer(orders["bob"])  # from version 0
    assert committed_by(run.answer(following["eva"])) == ("bob",)


# ---- a coordinator that was started again ------------------------------------------------------------


def test_a_resumed_round_goes_on_with_the_same_root_assignment():
    run, orders, root = rooted("alice")
    run.answer(orders["alice"])
    run = run.restarted()
    assert run.standing("eva", root.assignment) == "wanted"
    again = run.say(ready("alice"), evaluator())
    assert [(order.node, order.assignment) for order in of(AskTrain, again)] == [
        ("alice", orders["alice"].assignment),
        ("eva", root.assignment),
    ]
    run.answer(orders["alice"])
    assert committed_by(run.answer(root)) == ("alice",)


def test_a_resumed_round_whose_evaluator_does_not_come_back_asks_another():
    run, orders, _ = rooted("alice")
    run = run.restarted()
    run.say(ready("alice"), evaluator("zoe"))
    run.answer(orders["alice"])
    actions = run.tick(run.engine.next_wake)  # of the notice
    while not of(AskTrain, actions):
        actions = run.wake()
    assert run.now == 45.0
    assert set(asked(actions)) == {"alice", "zoe"}


def test_a_root_update_of_the_last_version_is_known_as_committed_after_a_restart():
    run, orders, root = rooted("alice")
    run.answer(orders["alice"])
    run.answer(root)
    run = run.restarted(wrote_commit=True)
    assert run.engine.version == 1
    assert run.standing("eva", root.assignment, 0) == "committed"
