from tests.zfed.rounds.driver import (
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
from zfed.engine import AskTrain, Commit, OfferStale, OpenRound, Refuse
from zfed.facts import RoundCommitted, UpdateRefused, WorkerBenched
from zfed.strategies import NO_NORM_LIMIT
from zfed.strategies.usual_norm import VERSIONS_NEEDED


def one_good_one_bad(run, orders):
    """Alice's update is good, bob's is not; the next orders."""
    run.answer(orders["alice"])
    run.say(unfit("bob", orders["bob"].assignment))
    return asked(run.commit(run.engine.version + 1))


def benched(**settings):
    """A run in which bob has been benched after two rounds."""
    run, orders = collecting("alice", "bob", strikes=2, rounds=9, **settings)
    return run, one_good_one_bad(run, one_good_one_bad(run, orders))


# ---- strikes ----------------------------------------------------------------------------------------


def test_a_worker_whose_updates_were_refused_too_often_is_asked_no_more():
    run, orders = benched()
    assert list(orders) == ["alice"]
    assert run.engine.roster.worker_count == 1
    assert list(asked(run.whole_round(orders))) == ["alice"]


def test_the_last_refusal_tells_the_worker_that_it_is_benched():
    run, orders = collecting("alice", "bob", strikes=1)
    [refuse] = run.say(unfit("bob", orders["bob"].assignment))
    sentence = (
        "bob is benched: 1 of its updates were refused, --strikes is 1; "
        "it gets no more work in this run, unless that is started again with a higher one"
    )
    assert refuse.reason == f"update of bob in round 1 refused: tensor 'w' is nan. {sentence}"
    assert run.fact(WorkerBenched) == WorkerBenched(node="bob", round=1, strikes=1, reason=sentence)


def test_without_a_limit_nobody_is_benched():
    run, orders = collecting("alice", "bob", strikes=0, rounds=9)
    for _ in range(6):
        orders = one_good_one_bad(run, orders)
    assert list(orders) == ["alice", "bob"]


def test_to_be_stale_or_to_give_a_bad_first_model_is_no_strike():
    run, orders = collecting("alice", "bob", strikes=1)
    for number in range(5):
        run.say(OfferStale(node="bob", assignment=(0, number)), staged("bob", (1, 90 + number)))
    assert not run.engine.refusals.is_benched("bob")
    run.answer(orders["alice"])
    assert committed_by(run.answer(orders["bob"])) == ("alice", "bob")


def test_more_examples_than_were_declared_are_a_strike():
    run, orders = collecting("alice", "bob", strikes=1)
    run.say(staged("bob", orders["bob"].assignment, examples=101))
    assert run.engine.refusals.benched == ["bob"]


def test_strikes_outlive_the_coordinator():
    run, orders = collecting("alice", "bob", strikes=2)
    run.answer(orders["alice"])
    run.say(unfit("bob", orders["bob"].assignment))
    run = run.restarted()
    run.say(ready("alice"), ready("bob"))
    run.say(unfit("bob", orders["bob"].assignment))
    assert run.engine.refusals.benched == ["bob"]


def test_a_start_with_a_higher_limit_takes_workers_off_the_bench():
    run, _ = benched()
    again = run.restarted(strikes=3)
    assert list(asked(again.say(ready("alice"), ready("bob")))) == ["alice"]  # of the attempt that was open
    assert again.engine.refusals.benched == []
    assert again.engine.roster.worker_count == 2


def test_an_attempt_that_is_open_again_does_not_wait_for_who_was_benched_in_it():
    run, orders = collecting("alice", "bob", strikes=1)
    run.say(unfit("bob", orders["bob"].assignment))
    run = run.restarted()
    run.say(ready("alice"))
    assert committed_by(run.answer(orders["alice"])) == ("alice",)


def test_when_all_of_an_open_attempt_were_benched_the_next_start_gathers_others():
    run, orders = collecting("alice", strikes=1)
    [*_, end] = run.say(unfit("alice", orders["alice"].assignment))
    assert "benched for refused updates: alice" in end.reason
    run = run.restarted()
    assert run.engine.phase == "gathering"
    assert list(asked(run.say(ready("carol")))) == ["carol"]


# ---- too few workers are left -----------------------------------------------------------------------


def test_a_run_whose_workers_are_all_benched_fails_at_once():
    run, orders = collecting("alice", "bob", strikes=1)
    run.say(unfit("alice", orders["alice"].assignment))
    end = ended(run.say(unfit("bob", orders["bob"].assignment)))
    assert (end.status, end.reason) == (
        "failed",
        "too few workers are left for round 1: 0 of at least 1; benched for refused updates: alice, bob. "
        "See --strikes, --min-workers",
    )


def test_a_run_that_lacks_only_who_is_benched_fails_instead_of_waiting():
    run, orders = collecting("alice", "bob", strikes=1, min_workers=2)
    run.answer(orders["alice"])
    run.say(unfit("bob", orders["bob"].assignment))
    end = ended(run.wake())
    assert "round 1: 1 of at least 2; benched for refused updates: bob" in end.reason


def test_a_run_still_waits_for_who_is_only_lost():
    run, orders = collecting("alice", "bob", "carol", strikes=1, min_workers=2)
    run.say(lost("alice"))
    run.say(unfit("bob", orders["bob"].assignment))
    run.answer(orders["carol"])
    run.wake()
    assert run.engine.phase == "gathering"
    assert of(OpenRound, run.say(ready("alice")))


def test_a_run_waits_for_who_was_lost_before_the_round_began():
    run, orders = collecting("alice", "bob", strikes=1)
    run.say(lost("alice"))
    run.answer(orders["bob"])
    run.wake()
    orders = asked(run.commit(1))
    assert list(orders) == ["bob"]
    run.say(unfit("bob", orders["bob"].assignment))
    assert run.engine.phase == "gathering"
    assert list(asked(run.say(ready("alice")))) == ["alice"]


def test_who_waited_in_vain_is_told_who_is_benched():
    run, orders = collecting("alice", "bob", strikes=1)
    run.say(lost("alice"))
    run.say(unfit("bob", orders["bob"].assignment))
    while run.engine.phase != "ended":
        actions = run.wake()
    assert "benched for refused updates: bob; see --wait-for and --wait-timeout" in ended(actions).reason


def test_absence_that_is_no_fault_of_the_bench_is_waited_for():
    run, orders = collecting("alice", "bob", "carol", strikes=1, min_workers=2)
    run.say(unfit("bob", orders["bob"].assignment))
    run.say(left("alice"), left("carol"))
    assert run.engine.phase == "gathering"


# ---- what is told -----------------------------------------------------------------------------------


def test_a_stale_update_is_told_once_in_a_round_however_often_it_is_offered():
    run, _ = collecting("alice", "bob")
    facts = []
    for number in range(100):
        assert run.say(OfferStale(node="bob", assignment=(0, number))) == []
        facts += run.facts
    assert [(fact.node, fact.code, fact.assignment) for fact in facts] == [("bob", "stale", (0, 0))]
    assert run.say(staged("bob", (1, 77)))[0].code == "stale"  # the worker itself is always told
    assert run.facts == []


def test_a_commit_counts_what_was_refused_since_the_last_one_by_code():
    run, orders = collecting("alice", "bob", rounds=3)
    run.say(OfferStale(node="bob", assignment=(0, 1)), OfferStale(node="bob", assignment=(0, 1)))
    run.say(unfit("bob", orders["bob"].assignment, "norm"))
    [commit] = of(Commit, run.answer(orders["alice"]))
    run.say(OfferStale(node="bob", assignment=orders["bob"].assignment))
    orders = asked(run.commit(1))
    assert run.fact(RoundCommitted).refused == commit.summary.refused == {"norm": 1, "stale": 2}
    run.whole_round(orders)
    assert run.fact(RoundCommitted).refused == {"stale": 1}


# ---- the norm ---------------------------------------------------------------------------------------


def rounds_of(run, orders, *norms):
    """One round for each norm of both; what opened the next."""
    for norm in norms:
        for order in orders.values():
            run.answer(order, norm=norm)
        actions = run.commit(run.engine.version + 1)
        orders = asked(actions)
    return of(OpenRound, actions)[0], orders


def test_the_norms_of_versions_before_limit_those_of_a_round_and_its_own_do_not():
    run, orders = collecting("alice", "bob", max_norm_ratio=3.0, rounds=9, min_workers=2)
    opened, orders = rounds_of(run, orders, *[2.0] * VERSIONS_NEEDED)
    assert opened.max_norm == 6.0
    run.answer(orders["alice"], norm=5.0)
    run.say(failed("bob", orders["bob"].assignment))
    assert of(OpenRound, run.wake())[0].max_norm == 6.0


def test_a_run_that_is_resumed_has_the_limit_it_had():
    run, orders = collecting("alice", "bob", max_norm_ratio=3.0, rounds=9)
    opened, _ = rounds_of(run, orders, 5.0, 2.0, 4.0, 3.0)
    again = run.restarted()
    assert of(OpenRound, again.begun)[0].max_norm == opened.max_norm == 9.0


def test_a_hundred_times_the_usual_norm_is_too_long_by_default_and_0_is_no_limit():
    for settings, limit in (({}, 100.0), ({"max_norm_ratio": 0.0}, NO_NORM_LIMIT)):
        run, orders = collecting("alice", "bob", rounds=9, **settings)
        assert rounds_of(run, orders, 1.0, 1.0, 1.0)[0].max_norm == limit


def test_a_configured_limit_holds_from_round_1_on():
    run, orders = collecting("alice", "bob", max_norm=8.0, rounds=9)
    assert rounds_of(run, orders, 1.0)[0].max_norm == 8.0


def test_an_update_is_refused_once_whatever_comes_after_it():
    run, orders = collecting("alice", "bob", strikes=2)
    bad = unfit("bob", orders["bob"].assignment)
    assert len(of(Refuse, run.say(bad))) == 1
    [again] = of(Refuse, run.say(bad))
    assert again.code == "stale"
    assert len([fact for fact in run.all_facts if isinstance(fact, UpdateRefused)]) == 2
    assert run.engine.refusals.strikes["bob"] == 1
    assert not of(AskTrain, run.say(ready("bob")))
