"""Runs whose versions are evaluated by their workers, and runs that end early."""

from dataclasses import replace

import pytest

from tests.zfed.rounds.driver import (
    asked,
    collecting,
    ended,
    evaluated,
    evaluator,
    failed,
    left,
    lost,
    of,
    ready,
)
from zfed.config import EvaluateConfig
from zfed.engine import AskEvaluate, AskTrain, Cancel, Commit, EndRun
from zfed.facts import EvaluationSkipped, NothingToWatch, TaskFailed, WorkersEvaluated
from zfed.metrics import CLASSIFIER_RULES

BY_WORKERS = EvaluateConfig(by="workers", every=1)
BOTH = EvaluateConfig(by="both", every=1)
WATCHED = EvaluateConfig(by="workers", every=1, watch="accuracy", watch_on="workers", patience=2)
CENTRAL = EvaluateConfig(every=1, watch="accuracy", patience=1)


def by_workers(*names, evaluate=BY_WORKERS, held_out=10, **settings):
    return collecting(*names, evaluate=evaluate, held_out=held_out, **settings)


def surveyed(actions):
    """The orders to evaluate, by node."""
    return {action.node: action for action in of(AskEvaluate, actions)}


def answered(run, orders, **accuracies):
    """These workers answer."""
    return run.say(
        *(evaluated(node, orders[node].assignment, accuracy=value) for node, value in accuracies.items())
    )


def rounds_found(run, orders, *accuracies):
    """A round for each accuracy, which alice finds while the next one is open; the last actions."""
    for accuracy in accuracies:
        actions = run.whole_round(orders)
        orders, survey = asked(actions), surveyed(actions)
        actions = answered(run, survey, alice=accuracy)
    return actions, orders


# ---- by the workers ---------------------------------------------------------------------------


def test_the_workers_are_asked_after_they_are_asked_to_train():
    run, orders = by_workers("alice", "bob")
    actions = run.whole_round(orders)
    assert [type(action) for action in actions if isinstance(action, AskTrain | AskEvaluate)] == [
        AskTrain,
        AskTrain,
        AskEvaluate,
        AskEvaluate,
    ]
    order = surveyed(actions)["bob"]
    assert (order.round, order.version, order.subject) == (1, 1, "federated")


def test_what_they_are_asked_stands_in_the_commit_so_that_a_start_owes_it():
    run, orders = by_workers("alice", "bob")
    run.answer(orders["alice"])
    [commit] = of(Commit, run.answer(orders["bob"]))
    assert [(owed.worker, owed.subject) for owed in commit.evaluations] == [
        ("alice", "workers"),
        ("bob", "workers"),
    ]


def test_when_all_have_answered_it_is_told_once_and_training_never_waited():
    run, orders = by_workers("alice", "bob", rounds=3)
    survey = surveyed(run.whole_round(orders))
    answered(run, survey, alice=0.5)
    assert run.facts == []
    answered(run, survey, bob=0.75)
    fact = run.fact(WorkersEvaluated)
    assert (fact.round, fact.version, fact.workers, fact.metrics) == (
        1,
        1,
        ["alice", "bob"],
        {"accuracy": 0.625},
    )
    assert (fact.spread["accuracy"].worst_worker, fact.spread["accuracy"].best_worker) == ("alice", "bob")


def test_the_rules_of_the_run_merge_what_workers_find_and_what_they_report_of_training():
    run, orders = by_workers("alice", "bob")
    run.engine.appraisal.merging.take("alice", CLASSIFIER_RULES)
    run.answer(orders["alice"], correct=3)
    [commit] = of(Commit, run.answer(orders["bob"], correct=4))
    assert commit.summary.train == {"correct": 7}


def test_only_workers_that_hold_examples_out_are_asked():
    run, orders = by_workers("alice")
    run.say(ready("bob"))
    assert set(surveyed(run.whole_round(orders))) == {"alice"}


def test_if_nobody_holds_examples_out_that_is_said():
    run, orders = by_workers("alice", held_out=0)
    actions = run.answer(orders["alice"])
    reason = "no worker that may be asked has held examples out: see --holdout of workers"
    assert run.fact(EvaluationSkipped).reason == reason
    assert of(Commit, actions)[0].evaluations == ()


def test_both_are_asked_if_both_are_wanted():
    run, orders = by_workers("alice", evaluate=BOTH, evaluators=("eva",))
    assert set(surveyed(run.whole_round(orders))) == {"alice", "eva"}


def test_the_run_ends_once_the_workers_of_its_last_version_have_answered():
    run, orders = by_workers("alice", "bob", rounds=1)
    survey = surveyed(run.whole_round(orders))
    assert of(EndRun, answered(run, survey, alice=0.5)) == []
    end = ended(answered(run, survey, bob=0.5))
    assert (end.status, end.evaluated) == ("completed", True)


@pytest.mark.parametrize("goodbye", [True, False])
def test_a_worker_that_goes_away_is_missing_at_once_or_after_its_grace(goodbye):
    run, orders = by_workers("alice", "bob", rounds=1)
    survey = surveyed(run.whole_round(orders))
    answered(run, survey, alice=0.5)
    actions = run.say(left("bob") if goodbye else lost("bob"))
    if not goodbye:
        assert of(EndRun, actions) == []
        actions = run.tick(run.now + 10)
    assert ended(actions).status == "completed"
    [missing] = run.fact(WorkersEvaluated).missing
    assert missing.startswith("bob")


def test_a_worker_that_is_back_is_asked_again_after_its_training():
    run, orders = by_workers("alice", "bob")
    actions = run.whole_round(orders)
    survey = surveyed(actions)
    run.say(lost("bob"))
    assert run.say(ready("bob", held_out=10)) == [asked(actions)["bob"], survey["bob"]]
    assert survey["bob"] in run.engine.awaited("bob")


def test_a_task_that_fails_to_evaluate_harms_neither_training_nor_the_others():
    run, orders = by_workers("alice", "bob")
    survey = surveyed(run.whole_round(orders))
    run.say(failed("alice", survey["alice"].assignment))
    assert (run.fact(TaskFailed).node, run.fact(TaskFailed).work) == ("alice", "evaluate")
    answered(run, survey, bob=0.5)
    assert run.fact(WorkersEvaluated).missing == ["alice (ValueError: no)"]


def test_the_last_survey_is_not_waited_for_for_ever():
    run, orders = by_workers("alice", rounds=1, evaluate=EvaluateConfig(by="workers", timeout_s=50.0))
    run.whole_round(orders)
    actions = run.tick(run.now + 50)
    assert of(Cancel, actions)[0].node == "alice"
    assert ended(actions).status == "completed"


def test_versions_that_workers_still_evaluate_are_served():
    run, orders = by_workers("alice", rounds=3)
    actions = run.whole_round(orders)
    survey = surveyed(actions)
    run.whole_round(asked(actions))
    assert run.engine.versions == {1, 2}
    answered(run, survey, alice=0.5)
    assert run.engine.versions == {2}


# ---- after a restart --------------------------------------------------------------------------


def test_a_start_owes_exactly_what_is_open_and_remembers_what_came():
    run, orders = by_workers("alice", "bob", rounds=3)
    survey = surveyed(run.whole_round(orders))
    answered(run, survey, alice=0.5)
    again = run.restarted()
    assert of(AskEvaluate, again.say(ready("alice", held_out=10))) == []
    assert survey["bob"] in again.say(ready("bob", held_out=10))
    answered(again, survey, bob=0.75)
    assert again.fact(WorkersEvaluated).metrics == {"accuracy": 0.625}


def test_a_worker_that_does_not_come_back_after_a_restart_is_missing():
    run, orders = by_workers("alice", "bob", rounds=1)
    survey = surveyed(run.whole_round(orders))
    answered(run, survey, alice=0.5)
    again = run.restarted()
    assert ended(again.tick(again.now + 40)).status == "completed"
    assert again.fact(WorkersEvaluated).missing == ["bob (lost, and not back in time)"]


# ---- the best version, and the end before the last round ------------------------------------------


def test_the_run_ends_early_when_there_is_no_better_version_and_names_the_best():
    run, orders = by_workers("alice", evaluate=WATCHED, rounds=20)
    actions, _ = rounds_found(run, orders, 0.5, 0.75, 0.5, 0.75)
    end = ended(actions)
    assert (end.status, end.rounds_done, end.best.round, end.best.version) == ("completed", 4, 2, 2)
    assert end.reason == (
        "early stop: accuracy has not become better in 2 evaluations, the best was 0.75 in round 2"
    )


def test_facts_by_which_decisions_are_made_say_so():
    run, orders = by_workers("alice", evaluate=WATCHED)
    rounds_found(run, orders, 0.5)
    assert run.fact(WorkersEvaluated).validation


def test_a_version_that_is_being_written_counts_before_the_run_ends_early():
    run, orders = by_workers("alice", evaluate=WATCHED, rounds=20)
    _, orders = rounds_found(run, orders, 0.75, 0.5)
    actions = run.whole_round(orders)
    orders, survey = asked(actions), surveyed(actions)
    assert of(Commit, run.answer(orders["alice"]))
    assert of(EndRun, answered(run, survey, alice=0.5)) == []
    end = ended(run.commit(4))
    assert end.rounds_done == 4
    assert end.reason.endswith("; 1 round more was made until that was known")


def test_what_is_owed_when_the_run_ends_early_is_given_up():
    both = EvaluateConfig(by="both", every=1, watch="accuracy", patience=1)
    run, orders = by_workers("alice", evaluate=both, evaluators=("eva",), rounds=20)
    for accuracy in (0.5, 0.5):
        actions = run.whole_round(orders)
        orders, central = asked(actions), surveyed(actions)["eva"]
        actions = run.say(evaluated("eva", central.assignment, accuracy=accuracy))
    assert ended(actions).status == "completed"
    assert {(fact.round, fact.subject) for fact in run.all_facts if isinstance(fact, EvaluationSkipped)} == {
        (1, "workers"),
        (2, "workers"),
    }


def test_without_patience_the_best_version_is_named_at_the_end():
    watched = EvaluateConfig(by="workers", every=1, watch="-loss", watch_on="workers")
    run, orders = by_workers("alice", evaluate=watched, rounds=2)
    for loss in (0.25, 0.5):
        actions = run.whole_round(orders)
        orders, survey = asked(actions), surveyed(actions)
        actions = run.say(evaluated("alice", survey["alice"].assignment, loss=loss))
    assert (ended(actions).best.metric, ended(actions).best.round) == ("loss", 1)


def test_a_metric_that_nobody_reports_is_said_with_those_that_are():
    run, orders = collecting("alice", evaluate=CENTRAL, evaluators=("eva",), rounds=3)
    order = surveyed(run.whole_round(orders))["eva"]
    run.say(evaluated("eva", order.assignment, loss=0.5, f1=0.25))
    assert run.fact(NothingToWatch) == NothingToWatch(round=1, metric="accuracy", reported=["f1", "loss"])


@pytest.mark.parametrize("dies_after", range(5))
def test_a_run_decides_the_same_wherever_it_died(dies_after):
    found = [0.25, 0.5, 0.75, 0.5, 0.5, 0.875]
    run, orders = by_workers("alice", evaluate=WATCHED, rounds=20)
    for number, accuracy in enumerate(found):
        actions = run.whole_round(orders)
        orders, survey = asked(actions), surveyed(actions)
        actions = answered(run, survey, alice=accuracy)
        if of(EndRun, actions):
            break
        if number == dies_after:
            run = run.restarted()
            orders = asked(run.say(ready("alice", held_out=10)))
    end = ended(actions)
    assert (end.rounds_done, end.best.round) == (5, 3)


def test_a_run_that_ended_early_ends_at_once_when_it_is_started_again():
    run, orders = by_workers("alice", evaluate=WATCHED, rounds=20)
    actions, _ = rounds_found(run, orders, 0.75, 0.5, 0.5)
    assert ended(run.restarted().begun).reason == ended(actions).reason


def test_an_evaluators_word_is_watched_when_it_comes_however_late():
    run, orders = collecting("alice", evaluate=CENTRAL, evaluators=("eva",), rounds=20)
    central = []
    for _ in range(3):
        actions = run.whole_round(orders)
        orders = asked(actions)
        central += of(AskEvaluate, actions)
    run.say(evaluated("eva", central[0].assignment, accuracy=0.5))
    end = ended(run.say(evaluated("eva", central[1].assignment, accuracy=0.5)))
    assert end.rounds_done == 3
    assert end.reason.endswith("; 1 round more was made until that was known")


def test_an_evaluator_alone_is_not_asked_if_only_workers_are():
    run, orders = by_workers("alice", evaluators=("eva",))
    assert set(surveyed(run.whole_round(orders))) == {"alice"}
    assert run.say(evaluator("zoe")) == []


def test_a_run_that_ended_early_goes_on_if_it_is_given_more_patience():
    run, orders = by_workers("alice", evaluate=WATCHED, rounds=20)
    rounds_found(run, orders, 0.75, 0.5, 0.5)
    run.evaluate = replace(WATCHED, patience=5)
    again = run.restarted()
    assert of(EndRun, again.begun) == []
    assert again.engine.appraisal.watch.best.round == 1
