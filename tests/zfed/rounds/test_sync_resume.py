"""The coordinator dies and is started again: where the run goes on, and for whom it waits."""

from dataclasses import replace

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
)
from zfed.config import EvaluateConfig
from zfed.engine import AskEvaluate, EndRun, ModelLoaded, OpenRound, ReleaseModels, Tick
from zfed.facts import EvaluationSkipped, Waiting
from zfed.strategies.grid import FIRST_VALUE_RANGE

EVERY_ROUND = EvaluateConfig(every=1, timeout_s=30.0)


# ---- nothing was open -------------------------------------------------------------------------------


def between_rounds(*names, **settings):
    """A run that died when version 1 was on disk, before it heard of that; and what round 1 had asked."""
    run, orders = collecting(*names, **settings)
    for order in orders.values():
        run.answer(order)
    return run.restarted(wrote_commit=True), orders


def test_a_run_that_had_no_model_yet_starts_from_the_beginning():
    run = Run({"wait_for": "2"})
    run.say(ready("alice"))
    again = run.restarted()
    assert (again.engine.version, again.engine.phase) == (-1, "gathering")
    assert again.facts == [Waiting(missing="2 more workers", remaining_s=60.0)]


def test_a_run_goes_on_from_its_last_version_with_the_next_round():
    run, _ = between_rounds("alice", "bob")
    assert (run.begun, run.engine.version, run.engine.phase) == ([], 1, "gathering")
    assert run.facts == [Waiting(missing="1 more worker for round 2 (alice, bob)", remaining_s=60.0)]
    run.say(ready("bob"))
    opened, *orders = run.say(ready("alice"))
    assert (opened.round, opened.attempt, opened.version, opened.cohort) == (2, 1, 1, ("alice", "bob"))
    assert {order.assignment[0] for order in orders} == {2}


def test_a_run_that_dies_before_its_first_round_waits_for_the_workers_that_were_here():
    run = Run({"wait_for": "2", "initial": "m.safetensors"})
    run.say(ready("alice"), ready("bob"))
    run.journal.write(ModelLoaded(source="m.safetensors"))
    again = run.restarted()
    assert (again.engine.version, again.engine.round) == (0, 1)
    assert again.say(ready("alice")) == []
    [opened, *_] = again.say(ready("bob"))
    assert (opened.cohort, opened.value_range) == (("alice", "bob"), FIRST_VALUE_RANGE)


def test_workers_that_do_not_come_back_have_the_grace_of_a_restart():
    run, _ = between_rounds("alice", "bob", restart_grace_s=40.0)
    begun = run.now
    run.say(ready("alice"), at=begun + 1.0)
    run.tick(begun + 39.9)
    assert run.engine.phase == "gathering"
    assert of(OpenRound, run.tick(begun + 40.0))[0].cohort == ("alice",)


def test_when_nobody_comes_back_the_run_fails_and_says_who_was_awaited():
    run, _ = between_rounds("alice", "bob")
    begun = run.now
    assert run.tick(begun + 59.9) == []
    reason = "waited 60 s for 1 more worker for round 2 (alice, bob); see --wait-for and --wait-timeout"
    assert ended(run.tick(begun + 60.0)).reason == reason


def test_a_worker_that_had_said_goodbye_is_not_awaited():
    run, orders = collecting("alice", "bob")
    run.answer(orders["alice"])
    run.say(left("bob"))
    again = run.restarted(wrote_commit=True)
    assert of(OpenRound, again.say(ready("alice")))[0].cohort == ("alice",)


def test_an_update_that_was_committed_before_the_restart_is_known_as_such():
    run, orders = between_rounds("alice", "bob")
    own = orders["alice"].assignment
    assert run.standing("alice", own, 0) == "committed"
    assert run.engine.committed_version("alice") == 1
    run.say(ready("alice"))
    again = asked(run.say(ready("bob")))
    assert again["alice"].counted == own


def test_the_value_range_of_the_next_round_is_the_commits():
    run, orders = collecting("alice")
    run.answer(orders["alice"], largest=0.25)
    again = run.restarted(wrote_commit=True)
    assert of(OpenRound, again.say(ready("alice")))[0].value_range == 256.0


def test_a_version_that_was_not_on_disk_is_made_again_from_the_same_updates():
    run, orders = collecting("alice", "bob")
    for order in orders.values():
        run.answer(order)
    assert run.engine.phase == "committing"
    again = run.restarted(wrote_commit=False)
    assert again.engine.version == 0
    assert asked(again.say(ready("alice"), ready("bob"))) == orders
    again.answer(orders["bob"])
    assert committed_by(again.answer(orders["alice"])) == ("alice", "bob")


# ---- an attempt was open ----------------------------------------------------------------------------


def while_collecting(*names, **settings):
    """A run that died when round 1 had just been opened; what it had opened, and asked."""
    run, orders = collecting(*names, **settings)
    [opened] = of(OpenRound, run.journal.lines)
    return run.restarted(), opened, orders


def test_an_attempt_that_was_open_is_opened_again_as_it_was():
    run, opened, _ = while_collecting("alice", "bob")
    assert run.begun == [replace(opened, candidates=0, draws=0)]  # nobody is drawn for it
    assert run.engine.phase == "collecting"


def test_the_attempts_number_goes_on():
    run, _ = collecting("alice", "bob", min_workers=2)
    run.tick(100.0)
    [_, second] = of(OpenRound, run.journal.lines)
    again = run.restarted()
    assert (second.attempt, again.begun) == (2, [replace(second, candidates=0, draws=0)])
    again.tick(again.now + 40.0)
    assert again.engine.phase == "gathering"


def test_a_worker_that_is_back_is_asked_again_under_its_old_number():
    run, _, orders = while_collecting("alice", "bob")
    assert run.say(ready("bob")) == [orders["bob"]]
    assert run.engine.awaited("bob") == [orders["bob"]]
    assert run.engine.awaited("alice") == []


def test_a_worker_is_held_to_the_weight_that_it_had_declared():
    run, _, orders = while_collecting("alice", "bob")
    run.say(ready("alice", examples=1000))
    [refuse] = run.say(staged("alice", orders["alice"].assignment, examples=101))
    assert refuse.code == "examples"


def test_an_update_held_from_before_counts_once():
    run, orders = collecting("alice", "bob")
    run.answer(orders["alice"])
    again = run.restarted()
    own = orders["alice"].assignment
    again.say(ready("alice"), ready("bob"))
    assert again.standing("alice", own, 0) == "wanted"
    again.answer(orders["alice"])
    assert again.standing("alice", own, 0) == "accepted"
    assert committed_by(again.answer(orders["bob"])) == ("alice", "bob")
    again.commit(1)
    assert again.standing("alice", own, 0) == "committed"
    assert again.say(staged("alice", own))[0].code == "stale"


def test_an_update_counts_once_however_often_the_coordinator_dies():
    run, orders = collecting("alice", "bob")
    for _ in range(3):
        run.say(ready("alice"))
        run.answer(orders["alice"])
        run = run.restarted()
    run.say(ready("alice"), ready("bob"))
    run.answer(orders["bob"])
    assert committed_by(run.answer(orders["alice"])) == ("alice", "bob")


def test_after_a_restart_a_round_goes_on_with_those_who_came_back_in_time():
    run, _, orders = while_collecting("alice", "bob", restart_grace_s=40.0)
    begun = run.now
    run.say(ready("alice"))
    run.answer(orders["alice"])
    assert run.engine.next_wake == begun + 30.0
    run.wake()
    assert run.facts == [Waiting(missing="round 1 of bob (gone)", remaining_s=70.0)]
    assert run.tick(begun + 39.9) == []
    assert committed_by(run.tick(begun + 40.0)) == ("alice",)


def test_the_deadline_of_a_round_begins_anew():
    run, orders = collecting("alice", "bob", round_timeout_s=100.0)
    run.tick(90.0)
    again = run.restarted()
    again.say(ready("alice"), ready("bob"))
    again.answer(orders["alice"])
    assert again.tick(again.now + 99.9) == []
    assert committed_by(again.tick(195.0)) == ("alice",)


def test_when_the_whole_cohort_stays_away_the_run_waits_for_it_without_using_up_a_retry():
    run, opened, _ = while_collecting("alice", "bob", round_retries=0)
    run.tick(run.now + 40.0)
    assert run.engine.phase == "gathering"
    assert run.facts[-1].missing == "1 more worker for round 1 (alice, bob)"
    run.say(ready("alice"))
    [again, *orders] = run.say(ready("bob"))
    assert (again.attempt, again.cohort) == (1, opened.cohort)
    assert {order.assignment[0] for order in orders} == {2}


def test_a_newcomer_takes_part_from_the_next_round():
    run, _, orders = while_collecting("alice")
    assert run.say(ready("zack"), ready("alice")) == [orders["alice"]]
    run.answer(orders["alice"])
    assert set(asked(run.commit(1))) == {"alice", "zack"}


def test_a_worker_lost_again_after_the_restart_does_not_shorten_the_others_grace():
    run, _, _ = while_collecting("alice", "bob")
    begun = run.now
    run.say(ready("alice"), lost("alice"))
    assert run.tick(begun + 39.9) == []
    assert run.engine.phase == "collecting"


# ---- what an update of an earlier start is -----------------------------------------------------------


def not_written_down(*names, **settings):
    """A run that died before the line of round 1's opening was on disk."""
    run, orders = collecting(*names, **settings)
    run.journal.cut(run.journal.synced)
    return run.restarted(), orders


def test_an_order_that_was_not_written_down_is_unknown_and_its_worker_gets_a_new_one():
    run, orders = not_written_down("alice")
    held = orders["alice"].assignment
    assert run.standing("alice", held, 0) == "unknown"
    again = asked(run.say(ready("alice")))["alice"]
    assert (again.assignment != held, again.version) == (True, 0)
    assert run.standing("alice", held, 0) == "unknown"
    assert run.standing("alice", again.assignment, 0) == "wanted"


def test_an_unknown_order_is_stale_once_the_run_has_gone_on():
    run, orders = not_written_down("alice")
    again = asked(run.say(ready("alice")))
    run.whole_round(again)
    assert run.standing("alice", orders["alice"].assignment, 0) == "stale"


def test_while_a_round_is_open_only_an_earlier_start_can_have_given_an_unknown_order():
    run, _ = not_written_down("alice")
    run.say(ready("alice"))
    assert run.standing("alice", (1, 99), 0) == "unknown"
    assert run.standing("alice", (2, 99), 0) == "stale"
    assert run.standing("alice", (3, 99), 0) == "stale"


def test_a_part_that_was_dropped_after_the_restart_is_stale():
    run, _, orders = while_collecting("alice", "bob")
    run.say(ready("alice"), ready("bob"), failed("alice", orders["alice"].assignment))
    assert run.standing("alice", orders["alice"].assignment, 0) == "stale"


# ---- evaluations are owed ----------------------------------------------------------------------------


def finishing(**settings):
    """A run that died after its last round, with one evaluation owed; and that evaluation."""
    run, orders = collecting("alice", evaluators=["eva"], evaluate=EVERY_ROUND, rounds=1, **settings)
    [evaluation] = of(AskEvaluate, run.whole_round(orders))
    return run.restarted(), evaluation


def test_an_evaluation_that_is_owed_is_asked_again_under_its_old_number_and_the_run_ends_with_it():
    run, evaluation = finishing()
    assert (run.begun, run.engine.phase) == ([], "finishing")
    assert run.say(ready("alice"), evaluator()) == [evaluation]
    release, end = run.say(evaluated("eva", evaluation.assignment))
    assert release == ReleaseModels(round=1)
    assert end == EndRun(status="completed", reason="", rounds_done=1, version=1, evaluated=True)


def test_an_evaluator_that_does_not_come_back_is_not_waited_for_for_ever():
    run, _ = finishing()
    begun = run.now
    run.wake()
    assert run.facts == [Waiting(missing="1 evaluation", remaining_s=25.0)]
    assert ended(run.tick(begun + 30.0)).evaluated is False
    assert run.fact(EvaluationSkipped).reason == "no answer within 30 s after the last round"


def test_an_evaluation_that_is_owed_while_rounds_are_left_does_not_hold_up_training():
    run, orders = collecting("alice", evaluators=["eva"], evaluate=EVERY_ROUND, rounds=2)
    [evaluation] = of(AskEvaluate, run.whole_round(orders))
    again = run.restarted()
    [order] = again.say(ready("alice"))
    assert order.round == 2
    assert again.say(evaluator()) == [evaluation]


def test_without_an_evaluator_ever_the_evaluations_owed_are_skipped():
    run, orders = collecting("alice", evaluate=EVERY_ROUND, rounds=1)
    run.answer(orders["alice"])
    again = run.restarted(wrote_commit=True)
    assert ended(again.begun).status == "completed"
    assert again.fact(EvaluationSkipped).reason == "no evaluator took part"


def test_an_evaluation_that_came_back_before_the_restart_is_not_owed():
    run, orders = collecting("alice", evaluators=["eva"], evaluate=EVERY_ROUND, rounds=2)
    [evaluation] = of(AskEvaluate, run.whole_round(orders))
    run.say(evaluated("eva", evaluation.assignment))
    again = run.restarted()
    assert again.engine.desk.owed == {}
    assert again.say(evaluator(), evaluated("eva", evaluation.assignment)) == []
    [evaluation] = of(AskEvaluate, again.whole_round(asked(again.say(ready("alice")))))
    assert evaluation.round == 2


# ---- all was done ------------------------------------------------------------------------------------


def test_a_run_remembers_that_it_was_evaluated_before_the_restart():
    run, evaluation = finishing()
    run.say(evaluator(), evaluated("eva", evaluation.assignment))
    assert ended(run.restarted().begun).evaluated


def test_a_run_that_was_done_ends_at_once():
    run, orders = collecting("alice", rounds=1)
    run.answer(orders["alice"])
    again = run.restarted(wrote_commit=True)
    assert again.begun == [EndRun(status="completed", reason="", rounds_done=1, version=1, evaluated=False)]
    assert again.engine.next_wake is None
    assert again.say(ready("alice"), Tick()) == []


def test_a_run_that_was_done_goes_on_if_it_is_given_more_rounds():
    run, orders = collecting("alice", rounds=1)
    ended(run.whole_round(orders))
    again = run.restarted(rounds=2)
    assert of(OpenRound, again.say(ready("alice")))[0].round == 2


def test_a_run_that_all_had_left_waits_for_as_many_workers_as_before_its_first_round():
    run, orders = collecting("alice", "bob", rounds=1)
    ended(run.whole_round(orders))
    run.say(left("alice"), left("bob"))
    again = run.restarted(rounds=2, wait_for="2")
    assert of(OpenRound, again.say(ready("alice"))) == []
    assert of(OpenRound, again.say(ready("bob")))[0].cohort == ("alice", "bob")


def test_a_run_that_all_had_left_waits_for_the_workers_it_was_told_to_wait_for():
    run, orders = collecting("alice", "bob", rounds=1)
    ended(run.whole_round(orders))
    run.say(left("alice"), left("bob"))
    again = run.restarted(rounds=2, wait_for="alice,bob")
    assert of(OpenRound, again.say(ready("bob"))) == []
    assert of(OpenRound, again.say(ready("alice")))[0].cohort == ("alice", "bob")
