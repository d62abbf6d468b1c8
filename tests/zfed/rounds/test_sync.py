from itertools import pairwise

import pytest

from tests.zfed.rounds.driver import (
    Run,
    asked,
    collecting,
    committed_by,
    ended,
    evaluated,
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
from zfed.engine import (
    Accept,
    AskEvaluate,
    AskTrain,
    Cancel,
    Commit,
    CommitFailed,
    EndRun,
    Fold,
    Folded,
    ModelLoaded,
    OpenPart,
    OpenRound,
    OwedEvaluation,
    Refuse,
    ReleaseModels,
    StopAsked,
    TellCommitted,
)
from zfed.facts import (
    EvaluationSkipped,
    NotWritten,
    RoundCommitted,
    RoundOpened,
    RoundRetried,
    TaskFailed,
    UpdateAccepted,
    UpdateRefused,
    Waiting,
)
from zfed.strategies import NO_NORM_LIMIT, Contribution
from zfed.strategies.grid import FIRST_VALUE_RANGE, choose_grid
from zfed.strategies.robust import Krum

EVERY_ROUND = EvaluateConfig(every=1)
OWN_MODELS_TOO = EvaluateConfig(every=1, workers=True)
STOP = StopAsked(reason="Ctrl-C")


# ---- waiting for workers ----------------------------------------------------------------------------


def test_a_run_waits_for_a_number_of_workers():
    run = Run({"wait_for": "2", "initial": "m.safetensors"})
    assert run.say(ready("alice")) == []
    assert run.say(evaluator()) == []
    assert run.engine.phase == "gathering"
    run.say(ready("bob"))
    assert run.engine.phase == "initializing"


def test_a_run_waits_for_nodes_by_name():
    run = Run({"wait_for": "alice,eva", "initial": "m.safetensors"})
    run.say(ready("bob"), ready("carol"), ready("alice"))
    assert run.engine.phase == "gathering"
    run.say(evaluator("eva"))
    assert run.engine.phase == "initializing"


def test_a_worker_that_went_away_again_is_awaited_again():
    run = Run({"wait_for": "2", "initial": "m.safetensors"})
    run.say(ready("alice"), lost("alice"), ready("bob"))
    assert run.engine.phase == "gathering"


def test_whoever_watches_is_told_every_5_seconds_for_whom_the_run_waits():
    run = Run({"wait_for": "alice,bob"})
    assert run.facts == [Waiting(missing="alice, bob", remaining_s=60.0)]
    run.say(ready("bob"), at=1.0)
    run.tick(4.9)
    assert run.facts == []
    run.tick(5.0)
    assert run.facts == [Waiting(missing="alice", remaining_s=55.0)]


def test_a_run_that_nobody_joins_fails_and_names_the_missing():
    run = Run({"wait_for": "alice,bob"})
    run.say(ready("bob"))
    end = ended(run.tick(60.0))
    assert (end.status, end.rounds_done, end.evaluated) == ("failed", 0, False)
    assert end.reason == "waited 60 s for alice; see --wait-for and --wait-timeout"


# ---- a full run -------------------------------------------------------------------------------------


def test_a_round_asks_its_cohort_folds_each_update_as_it_comes_and_commits():
    run = Run({"wait_for": "2"})
    run.say(ready("bob", examples=30), ready("alice", examples=10))
    opened, alice, bob = run.say(ModelLoaded(source="bob"))
    grid = choose_grid([10.0, 30.0], FIRST_VALUE_RANGE)
    assert opened == OpenRound(
        round=1,
        attempt=1,
        version=0,
        parts=(
            OpenPart(node="alice", assignment=alice.assignment, examples=10, round=1, version=0),
            OpenPart(node="bob", assignment=bob.assignment, examples=30, round=1, version=0),
        ),
        goal=2,
        updates=2,
        candidates=2,
        draws=1,
        grid=grid,
        value_range=FIRST_VALUE_RANGE,
        max_norm=NO_NORM_LIMIT,
    )
    told = RoundOpened(
        round=1, rounds=2, version=0, cohort=["alice", "bob"], attempt=1, candidates=2, draws=1
    )
    assert run.facts == [told]
    assert alice == AskTrain(
        node="alice", assignment=alice.assignment, round=1, version=0, evaluated=False, cohort=2
    )

    bobs = Contribution(
        node="bob", examples=30, steps=3, norm=1.0, metrics={"loss": 2.0}, share=30.0, weight=30.0
    )
    assert run.say(staged("bob", bob.assignment, examples=30, loss=2.0), at=3.0) == [
        Accept(node="bob", assignment=bob.assignment),
        Fold(node="bob", assignment=bob.assignment, round=1, update=bobs, keep=False),
    ]
    assert run.fact(UpdateAccepted).node == "bob"
    assert run.say(Folded(assignment=bob.assignment)) == []
    run.say(staged("alice", alice.assignment, examples=10, loss=1.0), at=4.0)
    [commit] = run.say(Folded(assignment=alice.assignment))
    assert (commit.round, commit.version, commit.workers) == (1, 1, ("alice", "bob"))

    assert run.commit(1)[:2] == [
        TellCommitted(node="alice", assignment=alice.assignment, version=1),
        TellCommitted(node="bob", assignment=bob.assignment, version=1),
    ]
    fact = run.fact(RoundCommitted)
    assert (fact.round, fact.rounds, fact.version, fact.seconds) == (1, 2, 1, 4.0)
    assert (fact.workers, fact.weights, fact.missing) == (["alice", "bob"], [0.25, 0.75], [])
    assert (fact.bytes_down, fact.bytes_up) == (7, 9)
    assert fact.train == {"loss": pytest.approx(1.75)}
    assert fact.per_worker["bob"].examples == 30


def test_a_commit_holds_all_that_a_run_is_resumed_from():
    run, orders = collecting("alice", "bob", "carol", evaluate=OWN_MODELS_TOO)
    run.answer(orders["alice"], largest=0.25, loss=2.0)
    run.say(failed("bob", orders["bob"].assignment))
    [commit] = of(Commit, run.answer(orders["carol"], largest=0.5, loss=1.0))
    own, theirs, federated = commit.evaluations
    assert commit.assignments == (orders["alice"].assignment, orders["carol"].assignment)
    assert commit.value_range == 512.0
    assert own == OwedEvaluation(
        assignment=own.assignment, round=1, version=1, subject="alice", own_model="alice's"
    )
    assert (theirs.subject, federated.subject, federated.own_model) == ("carol", "federated", "")
    summary = commit.summary
    assert (summary.workers, summary.missing) == (
        ["alice", "carol"],
        ["bob (its task failed: ValueError: no)"],
    )
    assert summary.train == {"loss": 1.5}
    asked_evaluator = [one.assignment for one in commit.evaluations]
    assert len({*asked_evaluator, *(order.assignment for order in orders.values())}) == 6


def test_an_order_names_the_workers_last_update_that_counts():
    run, orders = collecting("alice", "bob")
    run.answer(orders["alice"])
    run.say(failed("bob", orders["bob"].assignment))
    again = asked(run.commit(1))
    assert (again["alice"].counted, again["bob"].counted) == (orders["alice"].assignment, None)


def test_a_run_ends_after_its_last_round():
    run, orders = collecting("alice", "bob", rounds=2)
    orders = asked(run.whole_round(orders))
    end = ended(run.whole_round(orders))
    assert end == EndRun(status="completed", reason="", rounds_done=2, version=2, evaluated=False)


def test_an_ended_run_returns_nothing_any_more():
    run, orders = collecting("alice", rounds=1)
    run.whole_round(orders)
    assert run.say(ready("bob"), STOP, staged("alice", (1, 1))) == []
    assert run.tick(1e6) == []
    assert run.engine.next_wake is None


def test_no_assignment_number_is_used_twice_and_all_carry_the_incarnation():
    run, first = collecting("alice", "bob", rounds=2)
    second = asked(run.whole_round(first))
    numbers = [order.assignment for order in [*first.values(), *second.values()]]
    assert len(set(numbers)) == 4
    assert {incarnation for incarnation, _ in numbers} == {1}


def test_every_update_weighs_the_same_if_so_configured():
    run = Run({"wait_for": "1", "weighting": "equal"})
    run.say(ready("alice", examples=1000))
    opened, order = run.say(ModelLoaded(source="alice"))
    assert opened.grid == choose_grid([1.0], FIRST_VALUE_RANGE)
    [fold] = of(Fold, run.say(staged("alice", order.assignment, examples=1000)))
    assert (fold.update.share, fold.update.weight) == (1.0, 1.0)


def test_the_value_range_follows_the_updates_that_counted_unless_it_is_configured():
    for settings, following in (({}, 256.0), ({"value_range": 8.0}, 8.0)):
        run, orders = collecting("alice", "bob", **settings)
        run.answer(orders["alice"], largest=0.25)
        run.answer(orders["bob"], largest=0.125)
        assert of(OpenRound, run.commit(1))[0].value_range == following


def test_an_update_in_which_nothing_moved_leaves_the_value_range_as_it_is():
    run, orders = collecting("alice")
    run.answer(orders["alice"], largest=0.0)
    assert of(OpenRound, run.commit(1))[0].value_range == FIRST_VALUE_RANGE


# ---- deadline, too few, retries ---------------------------------------------------------------------


def until_the_deadline(run):
    """Nobody answers until the round has its deadline."""
    while not (actions := run.wake()):
        pass
    return actions


def test_at_the_deadline_a_round_goes_on_with_enough_updates():
    run, orders = collecting("alice", "bob", "carol", min_workers=2)
    run.answer(orders["alice"])
    run.answer(orders["carol"])
    cancel, commit = until_the_deadline(run)
    reason = "round 1 is closed: no answer by the deadline"
    assert cancel == Cancel(node="bob", assignment=orders["bob"].assignment, reason=reason)
    assert commit.workers == ("alice", "carol")
    run.commit(1)
    assert run.fact(RoundCommitted).missing == ["bob (no answer by the deadline)"]


def test_at_the_deadline_a_round_with_too_few_updates_is_opened_again_with_an_empty_accumulator():
    run, orders = collecting("alice", "bob", min_workers=2)
    run.answer(orders["alice"])
    cancel, opened, *again = until_the_deadline(run)
    assert (cancel.node, opened.round, opened.attempt, opened.version) == ("bob", 1, 2, 0)
    assert set(asked(again)) == {"alice", "bob"}
    assert asked(again)["alice"].assignment != orders["alice"].assignment
    assert run.fact(RoundRetried) == RoundRetried(
        round=1,
        attempt=1,
        attempts=2,
        answered=["alice"],
        missing=["bob (no answer by the deadline)"],
        needed=2,
    )


def test_fewer_updates_than_the_strategy_needs_are_too_few_whatever_the_user_says():
    names = ("alice", "bob", "carol", "dave", "erin", "frank")
    run, orders = collecting(*names, min_workers=1, needs=Krum(byzantine=1).needs)
    for name in names[:4]:
        run.answer(orders[name])
    again = asked(until_the_deadline(run))
    assert run.fact(RoundRetried).needed == 5
    for name in names[:5]:
        run.answer(again[name])
    [commit] = of(Commit, until_the_deadline(run))
    assert commit.workers == names[:5]


def test_a_round_that_was_tried_too_often_ends_the_run_and_names_the_missing():
    run, orders = collecting("alice", "bob", min_workers=2, round_retries=1)
    run.answer(orders["alice"])
    again = asked(until_the_deadline(run))
    run.answer(again["alice"])
    end = ended(until_the_deadline(run))
    assert (end.status, end.version) == ("failed", 0)
    assert "round 1 was tried 2 times and got too few updates: 1 of at least 2" in end.reason
    assert "bob (no answer by the deadline)" in end.reason


def test_an_update_for_an_earlier_attempt_is_stale():
    run, orders = collecting("alice", "bob", min_workers=2)
    until_the_deadline(run)
    old = orders["alice"].assignment
    assert run.standing("alice", old) == "stale"
    [refuse] = run.say(staged("alice", old))
    assert (refuse.code, refuse.assignment) == ("stale", old)


def test_a_round_that_fails_at_once_is_tried_again_after_a_pause_that_grows():
    run, orders = collecting("alice", round_retries=3)
    began = []
    for _ in range(3):
        began.append(run.now)
        assert of(OpenRound, run.say(failed("alice", orders["alice"].assignment))) == []
        orders = asked(run.wake())
    assert [later - sooner for sooner, later in pairwise([*began, run.now])] == [1.0, 2.0, 4.0]


def test_a_retry_waits_until_enough_workers_are_present():
    run, _ = collecting("alice", "bob", min_workers=2)
    assert run.say(left("bob")) == []
    until_the_deadline(run)
    assert run.engine.phase == "gathering"
    assert run.facts[-1] == Waiting(missing="1 more worker for round 1", remaining_s=60.0)
    assert set(asked(run.say(ready("carol")))) == {"alice", "carol"}


def test_a_run_that_waits_in_vain_for_workers_between_rounds_fails_and_names_them():
    run, _ = collecting("alice", "bob", min_workers=2)
    run.say(lost("bob"))
    until_the_deadline(run)
    assert run.engine.phase == "gathering"
    end = ended(until_the_deadline(run))
    assert run.now == 160.0
    assert (end.status, end.version) == ("failed", 0)
    reason = "waited 60 s for 1 more worker for round 1 (bob); see --wait-for and --wait-timeout"
    assert end.reason == reason


def test_updates_that_are_still_being_folded_at_the_deadline_are_waited_for_without_haste():
    run, orders = collecting("alice", "bob")
    run.say(staged("alice", orders["alice"].assignment), at=99.0)
    assert [type(action) for action in run.tick(100.0)] == [Cancel]
    assert run.engine.next_wake is None
    assert committed_by(run.say(Folded(assignment=orders["alice"].assignment))) == ("alice",)


def test_whoever_watches_is_told_every_30_seconds_for_whom_a_round_waits():
    run, orders = collecting("alice", "bob", "carol")
    run.answer(orders["alice"])
    run.say(lost("carol"), at=20.0)
    assert run.engine.next_wake == 30.0
    run.tick(29.9)
    assert run.facts == []
    run.tick(30.0)
    assert run.facts == [Waiting(missing="round 1 of bob, carol (gone)", remaining_s=70.0)]
    assert run.engine.next_wake == 60.0


def test_a_round_that_only_folds_waits_for_nobody():
    run, orders = collecting("alice")
    run.say(staged("alice", orders["alice"].assignment))
    run.tick(40.0)
    assert run.facts == []


# ---- workers that come and go -----------------------------------------------------------------------


def test_a_round_closes_when_all_that_are_missing_are_lost_and_their_grace_has_passed():
    run, orders = collecting("alice", "bob")
    run.answer(orders["alice"])
    assert run.say(lost("bob"), at=20.0) == []
    assert run.engine.next_wake == 30.0
    assert committed_by(run.wake()) == ("alice",)


def test_a_lost_worker_costs_no_wakes_while_another_computes():
    run, _ = collecting("alice", "bob")
    wake = run.engine.next_wake
    run.say(lost("bob"), at=5.0)
    assert run.engine.next_wake == wake
    assert run.tick(50.0) == []


def test_a_worker_that_is_back_within_its_grace_is_asked_again_under_the_same_number():
    run, orders = collecting("alice", "bob")
    run.answer(orders["alice"])
    run.say(lost("bob"), at=20.0)
    assert run.say(ready("bob"), at=29.0) == [orders["bob"]]
    assert run.tick(31.0) == []
    assert committed_by(run.answer(orders["bob"])) == ("alice", "bob")


def test_a_worker_that_is_back_after_its_update_was_accepted_is_not_asked_again():
    run, orders = collecting("alice", "bob")
    run.answer(orders["alice"])
    assert run.say(lost("alice"), ready("alice")) == []
    assert run.standing("alice", orders["alice"].assignment) == "accepted"


def test_a_worker_that_joins_late_takes_part_from_the_next_round():
    run, orders = collecting("alice")
    assert run.say(ready("bob")) == []
    assert set(asked(run.whole_round(orders))) == {"alice", "bob"}


def test_nobody_waits_for_a_worker_that_said_goodbye():
    run, orders = collecting("alice", "bob")
    run.answer(orders["alice"])
    assert committed_by(run.say(left("bob"))) == ("alice",)
    run.commit(1)
    assert run.fact(RoundCommitted).missing == ["bob (left)"]


def test_an_update_counts_although_its_worker_has_left():
    run, orders = collecting("alice", "bob")
    run.answer(orders["alice"])
    run.say(left("alice"))
    assert committed_by(run.answer(orders["bob"])) == ("alice", "bob")


def test_what_a_worker_that_is_here_still_owes_can_be_asked_again_under_the_same_number():
    run, orders = collecting("alice", "bob")
    assert run.engine.awaited("alice") == [orders["alice"]]
    run.say(staged("alice", orders["alice"].assignment), lost("bob"))
    assert [run.engine.awaited(node) for node in ("alice", "bob", "mallory")] == [[], [], []]


# ---- nobody is here ---------------------------------------------------------------------------------


def all_gone(*names, **settings):
    """A run whose workers of round 1 were all lost at 20 s, and had their grace."""
    run, orders = collecting(*names, **settings)
    run.say(*(lost(name) for name in names), at=20.0)
    assert [type(action) for action in run.wake()] == [Cancel] * len(names)
    return run, orders


def test_a_round_whose_workers_are_all_gone_waits_for_them_and_uses_up_no_retry():
    run, _ = all_gone("alice", "bob", round_retries=0)
    assert (run.engine.phase, run.now) == ("gathering", 30.0)
    missing = "1 more worker for round 1 (alice, bob)"
    assert run.facts == [Waiting(missing=missing, remaining_s=60.0)]
    run.tick(60.0)
    assert run.say(ready("bob")) == []
    opened, *orders = run.say(ready("alice"))
    assert (opened.round, opened.attempt, opened.cohort) == (1, 1, ("alice", "bob"))
    assert set(asked(orders)) == {"alice", "bob"}


def test_what_workers_hold_when_all_were_gone_is_kept_for_the_next_order():
    run, orders = all_gone("alice", "bob")
    run.say(ready("bob"), at=50.0)
    assert run.engine.phase == "gathering"
    assert run.standing("bob", orders["bob"].assignment, 0) == "unknown"
    assert run.standing("bob", orders["bob"].assignment, 1) == "stale"


def test_whoever_comes_back_first_gives_the_others_their_grace():
    run, _ = all_gone("alice", "bob")
    run.say(ready("bob"), at=50.0)
    assert run.engine.phase == "gathering"
    run.tick(55.0)
    assert run.facts == [Waiting(missing="alice for round 1", remaining_s=35.0)]
    assert of(OpenRound, run.tick(60.0))[0].cohort == ("bob",)


def test_whoever_comes_back_and_is_lost_again_keeps_nobody_from_their_grace():
    run, _ = all_gone("alice", "bob")
    run.say(ready("bob"), at=50.0)
    run.say(lost("bob"), at=52.0)
    run.say(ready("bob"), at=55.0)
    run.tick(64.9)
    assert run.engine.phase == "gathering"
    assert of(OpenRound, run.tick(65.0))[0].cohort == ("bob",)


def test_whoever_comes_back_and_says_goodbye_is_not_waited_for():
    run, _ = all_gone("alice", "bob", "carol", min_workers=2)
    run.say(ready("bob"), left("bob"), at=40.0)
    assert run.say(ready("carol")) == []
    assert of(OpenRound, run.say(ready("alice")))[0].cohort == ("alice", "carol")


def test_at_the_end_of_the_wait_a_round_opens_with_enough_although_somebodys_grace_is_not_over():
    run, _ = all_gone("alice", "bob")
    run.tick(85.0)
    run.say(ready("bob"))
    assert run.engine.next_wake == 90.0
    assert of(OpenRound, run.wake())[0].cohort == ("bob",)


def test_a_run_whose_workers_are_all_gone_for_good_fails_when_its_patience_ends():
    run, _ = all_gone("alice", "bob")
    assert ended(until_the_deadline(run)).status == "failed"
    assert run.now == 90.0


def test_a_round_that_counted_something_before_all_went_is_retried():
    run, orders = collecting("alice", "bob", min_workers=2)
    run.answer(orders["alice"])
    run.say(lost("alice"), lost("bob"), at=20.0)
    run.wake()
    assert run.fact(RoundRetried).answered == ["alice"]
    assert run.engine.phase == "gathering"
    assert of(OpenRound, run.say(ready("alice"), ready("bob")))[0].attempt == 2


# ---- updates that do not count ----------------------------------------------------------------------


def test_a_refused_update_is_named_and_the_round_goes_on_without_it():
    run, orders = collecting("alice", "bob")
    run.answer(orders["alice"])
    number = orders["bob"].assignment
    refuse, commit = run.say(unfit("bob", number, tensor="w", seen="nan", limit="a finite number"))
    told = {"node": "bob", "assignment": number, "code": "not-finite"}
    told["reason"] = "update of bob in round 1 refused: tensor 'w' is nan"
    assert refuse == Refuse(**told)
    assert commit.workers == ("alice",)
    fact = UpdateRefused(round=1, tensor="w", seen="nan", limit="a finite number", **told)
    assert run.fact(UpdateRefused) == fact


def test_a_task_that_raised_is_told_and_the_round_goes_on_without_it():
    run, orders = collecting("alice", "bob")
    run.answer(orders["alice"])
    assert committed_by(run.say(failed("bob", orders["bob"].assignment))) == ("alice",)
    fact = run.fact(TaskFailed)
    assert (fact.node, fact.round, fact.work, fact.error) == ("bob", 1, "train", "ValueError: no")


def test_an_update_of_more_examples_than_its_worker_declared_does_not_fit_the_grid():
    run, orders = collecting("alice", "bob")
    [refuse] = run.say(staged("alice", orders["alice"].assignment, examples=101))
    assert (refuse.code, "101" in refuse.reason, "100" in refuse.reason) == ("examples", True, True)
    run.say(lost("alice"), ready("alice", examples=1000))
    assert run.standing("alice", orders["alice"].assignment) == "stale"


def test_an_update_that_comes_twice_is_folded_once_and_accepted_twice():
    run, orders = collecting("alice", "bob")
    order = orders["alice"]
    accept = Accept(node="alice", assignment=order.assignment)
    run.say(staged("alice", order.assignment))
    assert run.say(staged("alice", order.assignment)) == [accept]
    run.say(Folded(assignment=order.assignment))
    assert run.say(staged("alice", order.assignment)) == [accept]
    assert run.say(unfit("alice", order.assignment), failed("alice", order.assignment)) == []


def test_an_update_from_another_node_than_was_asked_is_refused():
    run, orders = collecting("alice", "bob")
    theirs = orders["bob"].assignment
    assert run.standing("alice", theirs) == "stale"
    [refuse] = run.say(staged("alice", theirs))
    assert (refuse.node, refuse.code) == ("alice", "stale")
    assert run.say(failed("alice", theirs)) == []
    assert run.standing("bob", theirs) == "wanted"


def test_a_committed_update_is_known_as_such_also_rounds_later():
    """A worker that missed COMMITTED offers its update again, and must keep its task's new state."""
    run, orders = collecting("alice", "bob", rounds=3)
    missed = orders["alice"].assignment
    for order in orders.values():
        run.answer(order)
    run.say(lost("alice"))
    orders = asked(run.commit(1))
    run.whole_round(orders)
    assert run.standing("alice", missed) == "committed"
    assert run.engine.committed_version("alice") == 1


def test_standing_follows_an_update_through_its_round():
    run, orders = collecting("alice", "bob", rounds=1)
    own = orders["alice"].assignment
    assert run.standing("alice", own) == "wanted"
    run.say(staged("alice", own))
    assert run.standing("alice", own) == "accepted"
    run.say(Folded(assignment=own))
    assert run.standing("alice", own) == "accepted"
    run.answer(orders["bob"])
    run.commit(1)
    assert run.standing("alice", own) == "committed"
    assert run.engine.committed_version("alice") == 1


# ---- evaluation -------------------------------------------------------------------------------------


def test_the_evaluator_is_asked_for_the_federated_model_and_training_goes_on():
    run, orders = collecting("alice", evaluators=["eva"], evaluate=EVERY_ROUND)
    actions = run.whole_round(orders)
    [evaluation] = of(AskEvaluate, actions)
    assert (evaluation.node, evaluation.subject, evaluation.version) == ("eva", "federated", 1)
    assert set(asked(actions)) == {"alice"}
    assert run.say(evaluated("eva", evaluation.assignment)) == [ReleaseModels(round=1)]


def test_workers_own_models_are_kept_and_evaluated_before_the_federated_one():
    run, orders = collecting("alice", "bob", evaluators=["eva"], evaluate=OWN_MODELS_TOO)
    assert all(order.evaluated for order in orders.values())
    actions = [action for order in orders.values() for action in run.answer(order)]
    assert [fold.keep for fold in of(Fold, actions)] == [True, True]
    evaluations = of(AskEvaluate, run.commit(1))
    assert [evaluation.subject for evaluation in evaluations] == ["alice", "bob", "federated"]


def test_an_own_model_that_could_not_be_kept_is_skipped_and_the_others_are_evaluated():
    run, orders = collecting("alice", "bob", evaluators=["eva"], evaluate=OWN_MODELS_TOO)
    run.answer(orders["alice"])
    lacking = orders["bob"].assignment
    run.say(staged("bob", lacking), Folded(assignment=lacking, own_model=""))
    skipped = run.fact(EvaluationSkipped)
    assert (skipped.round, skipped.subject) == (1, "bob")
    assert skipped.reason == "the worker's own model could not be kept"
    assert [evaluation.subject for evaluation in of(AskEvaluate, run.commit(1))] == ["alice", "federated"]


def test_the_run_ends_when_the_last_evaluation_is_done():
    run, orders = collecting("alice", evaluators=["eva"], evaluate=EVERY_ROUND, rounds=1)
    [evaluation] = run.whole_round(orders)[1:]
    assert run.engine.phase == "finishing"
    end = ended(run.say(evaluated("eva", evaluation.assignment)))
    assert (end.status, end.evaluated) == ("completed", True)


def test_an_evaluator_that_does_not_answer_at_the_end_is_not_waited_for_for_ever():
    run, orders = collecting("alice", evaluators=["eva"], evaluate=EvaluateConfig(timeout_s=30.0), rounds=1)
    run.whole_round(orders)
    run.tick(5.0)
    assert run.facts == [Waiting(missing="1 evaluation", remaining_s=25.0)]
    cancel, release, end = run.tick(30.0)
    assert (cancel.node, type(release), end.status, end.evaluated) == (
        "eva",
        ReleaseModels,
        "completed",
        False,
    )
    assert "no answer within 30 s" in run.fact(EvaluationSkipped).reason


def test_an_evaluator_that_comes_back_is_asked_again_for_what_it_owes():
    run, orders = collecting("alice", evaluators=["eva"], evaluate=EVERY_ROUND, rounds=1)
    [evaluation] = of(AskEvaluate, run.whole_round(orders))
    assert run.say(lost("eva")) == []
    assert run.say(evaluator("eva")) == [evaluation]


def test_another_evaluator_takes_over_from_one_that_left():
    run, orders = collecting("alice", evaluators=["eva", "zoe"], evaluate=EVERY_ROUND, rounds=1)
    [evaluation] = of(AskEvaluate, run.whole_round(orders))
    [again] = run.say(left("eva"))
    assert (again.node, again.assignment) == ("zoe", evaluation.assignment)


def test_an_evaluation_that_raised_does_not_keep_the_run_from_ending():
    run, orders = collecting("alice", evaluators=["eva"], evaluate=EVERY_ROUND, rounds=1)
    [evaluation] = of(AskEvaluate, run.whole_round(orders))
    end = ended(run.say(failed("eva", evaluation.assignment)))
    assert (end.status, end.evaluated) == ("completed", False)
    assert run.fact(TaskFailed).work == "evaluate"


def test_a_worker_cannot_fail_the_evaluators_work():
    run, orders = collecting("alice", evaluators=["eva"], evaluate=EVERY_ROUND, rounds=1)
    [evaluation] = of(AskEvaluate, run.whole_round(orders))
    assert run.say(failed("alice", evaluation.assignment)) == []
    assert run.facts == []
    assert run.engine.phase == "finishing"


def test_without_an_evaluator_the_run_goes_on_and_ends_unevaluated():
    run, orders = collecting("alice", evaluate=EVERY_ROUND)
    end = ended(run.whole_round(asked(run.whole_round(orders))))
    assert (end.status, end.evaluated) == ("completed", False)
    skips = [fact for fact in run.all_facts if isinstance(fact, EvaluationSkipped)]
    assert [(fact.round, fact.reason) for fact in skips] == [
        (1, "no evaluator took part"),
        (2, "no evaluator took part"),
    ]


def test_only_the_rounds_that_were_wanted_are_evaluated():
    evaluate = EvaluateConfig(rounds=[2], last=False)
    run, orders = collecting("alice", evaluators=["eva"], evaluate=evaluate, rounds=3)
    first = run.whole_round(orders)
    second = run.whole_round(asked(first))
    assert (of(AskEvaluate, first), len(of(AskEvaluate, second))) == ([], 1)


# ---- stopping and failing ---------------------------------------------------------------------------


@pytest.mark.parametrize("stage", ["gathering", "initializing", "collecting"])
def test_a_run_that_is_asked_to_stop_stops_at_once(stage):
    run = Run({"wait_for": "1"})
    if stage != "gathering":
        run.say(ready("alice"))
    if stage == "collecting":
        run.say(ModelLoaded(source="alice"))
    assert run.engine.phase == stage
    assert run.say(STOP) == [
        EndRun(status="stopped", reason="Ctrl-C", rounds_done=0, version=0, evaluated=False)
    ]


def test_a_version_that_is_being_written_counts_before_the_run_stops():
    run, orders = collecting("alice", evaluators=["eva"], evaluate=EVERY_ROUND)
    run.answer(orders["alice"])
    assert run.say(STOP) == []
    told, end = run.commit(1)
    assert told == TellCommitted(node="alice", assignment=orders["alice"].assignment, version=1)
    assert (end.status, end.rounds_done, end.version) == ("stopped", 1, 1)


def test_a_version_that_cannot_be_written_ends_the_run_with_the_last_one_intact():
    run, orders = collecting("alice")
    run.answer(orders["alice"])
    end = ended(run.say(CommitFailed(reason="No space left on device")))
    assert (end.status, end.version) == ("failed", 0)
    assert end.reason == "round 1 could not be committed: No space left on device"


def full_disk(run, at=None):
    return run.say(CommitFailed(reason="No space left on device", again=True), at=at)


def test_a_version_that_the_disk_has_no_room_for_is_written_a_while_later():
    run, orders = collecting("alice", wait_timeout_s=100.0)
    [*_, commit] = run.answer(orders["alice"])
    assert full_disk(run, at=50.0) == []
    told = NotWritten(what="version 1", reason="No space left on device", retry_s=10.0)
    assert run.facts == [told]
    assert run.engine.next_wake == 60.0
    assert run.tick(59.9) == []
    assert run.wake() == [commit]
    assert run.engine.next_wake is None
    full_disk(run, at=61.0)
    assert run.wake() == [commit]
    assert run.commit(1)[0] == TellCommitted(node="alice", assignment=orders["alice"].assignment, version=1)
    assert (run.engine.version, run.engine.phase) == (1, "collecting")


def test_nothing_else_happens_to_a_round_while_its_version_waits_for_room():
    run, orders = collecting("alice")
    run.answer(orders["alice"])
    full_disk(run)
    assert run.say(lost("alice"), ready("bob"), ready("alice")) == []
    assert run.standing("alice", orders["alice"].assignment) == "accepted"
    run.wake()
    assert set(asked(run.commit(1))) == {"alice", "bob"}


def test_a_version_for_which_there_is_no_room_in_all_the_time_to_wait_ends_the_run():
    run, orders = collecting("alice", wait_timeout_s=60.0)
    run.answer(orders["alice"])
    full_disk(run, at=59.9)
    run.wake()
    end = ended(full_disk(run, at=69.9))
    assert (end.status, end.version) == ("failed", 0)
    assert end.reason == "round 1 could not be committed: No space left on device"


def test_a_run_that_is_asked_to_stop_while_a_version_waits_for_room_stops_without_it():
    run, orders = collecting("alice")
    run.answer(orders["alice"])
    full_disk(run)
    end = ended(run.say(STOP))
    assert (end.status, end.version) == ("stopped", 0)


def test_a_run_that_is_asked_to_stop_while_a_version_is_written_does_not_wait_for_room():
    run, orders = collecting("alice")
    run.answer(orders["alice"])
    full_disk(run)
    run.wake()
    assert run.say(STOP) == []
    end = ended(full_disk(run))
    assert (end.status, end.version) == ("stopped", 0)


def test_a_first_model_that_cannot_be_written_is_said_to_be_that():
    run = Run({"wait_for": "1"})
    run.say(ready("alice"))
    assert ended(run.say(CommitFailed(reason="disk full"))).reason == "no first model: disk full"


@pytest.mark.parametrize(
    "event", [ModelLoaded(source="twice"), Folded(assignment=(1, 1)), Folded(assignment=(9, 9))]
)
def test_a_report_that_nobody_waits_for_changes_nothing(event):
    run, _ = collecting("alice", "bob")
    assert run.say(event) == []
    assert (run.engine.phase, run.engine.round, run.engine.version) == ("collecting", 1, 0)


def test_a_commit_that_nobody_asked_for_changes_nothing():
    run, _ = collecting("alice", "bob")
    assert run.commit(1) == []
    assert run.engine.version == 0
