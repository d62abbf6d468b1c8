"""Who the engine asks: of those that are ready and called so, as many as make a cohort."""

from tests.zfed.rounds.driver import (
    Run,
    asked,
    committed_by,
    ended,
    evaluated,
    of,
    readiness,
    ready,
)
from zfed.config import EvaluateConfig, SelectConfig
from zfed.config.amount import Amount
from zfed.engine import AskEvaluate, AskModel, AskTrain, Enlist, ModelLoaded
from zfed.facts import RoundOpened, RoundRetried, Waiting
from zfed.rounds import Schedule

NAMES = [f"w{place:02}" for place in range(20)]
LOADED = ModelLoaded(source="a node")
BUFFERED = Schedule(kind="buffered", goal=Amount(count=2), carries=True, joins=True, max_staleness=9)


def opened(*workers, schedule=None, settings=None, evaluate=None, **select):
    """A run with these workers whose round 1 may be open, and its orders to train."""
    run = Run(
        {"wait_for": str(len(workers)), **(settings or {})},
        evaluate or EvaluateConfig(first=False, every=0, last=False),
        select=SelectConfig(**select),
        schedule=schedule or Schedule(),
    )
    run.say(*(ready(worker) if isinstance(worker, str) else worker for worker in workers))
    return run, asked(run.say(LOADED))


def missing(run):
    """For whom or what the run says that it waits."""
    return run.fact(Waiting).missing


# ---- cohorts ----------------------------------------------------------------------------------------


def test_a_cohort_is_drawn_of_those_here_and_the_draw_is_told():
    run, orders = opened(*NAMES, cohort="5")
    assert len(orders) == 5
    fact = run.fact(RoundOpened)
    assert (fact.cohort, fact.candidates, fact.draws) == (sorted(orders), 20, 1)


def test_a_share_is_of_those_here():
    assert len(opened(*NAMES, cohort="10%")[1]) == 2


def test_each_round_draws_anew():
    run, first = opened(*NAMES, cohort="5")
    second = asked(run.whole_round(first))
    assert len(second) == 5
    assert set(second) != set(first)


def test_an_attempt_draws_anew_and_a_run_that_is_resumed_draws_the_same():
    run, first = opened(*NAMES, cohort="3", settings={"min_workers": 3})
    again = asked(run.tick(100.0))
    assert run.fact(RoundRetried)
    assert len(again) == 3
    assert set(again) != set(first)
    twin, same = opened(*NAMES, cohort="3", settings={"min_workers": 3})
    assert set(same) == set(first)
    restarted = twin.restarted()  # in the middle of the attempt: it is open again, for the same
    reopened = asked(restarted.say(*(ready(name) for name in NAMES)))
    assert {name: order.assignment for name, order in reopened.items()} == {
        name: order.assignment for name, order in same.items()
    }
    assert set(asked(restarted.tick(restarted.now + 100.0))) == set(again)


def test_a_poisson_draw_that_is_made_again_is_told():
    draws = set()
    for seed in range(20):
        run, _ = opened(*NAMES, rule="poisson", cohort="5%", settings={"seed": seed})
        draws.add(run.fact(RoundOpened).draws)
    assert 1 in draws
    assert max(draws) > 1


def test_a_cohort_that_is_hardly_ever_drawn_ends_the_run_with_the_reason():
    run = Run({"wait_for": "2"}, select=SelectConfig(rule="poisson", cohort="0.001%", min_cohort=2))
    run.say(ready("a"), ready("b"))
    assert "round 1: 1000 draws" in ended(run.say(LOADED)).reason


# ---- tags -------------------------------------------------------------------------------------------


def test_only_workers_that_are_called_so_are_asked():
    workers = [ready("a", tags=("gpu",)), ready("b"), ready("c", tags=("gpu=a100",))]
    assert sorted(opened(*workers, where="gpu")[1]) == ["a", "c"]


def test_a_run_that_selects_nobody_waits_and_says_so():
    run, orders = opened("a", "b", where="site=z")
    assert not orders
    assert missing(run) == "1 more ready worker for round 1 (--select site=z does not mean a, b)"


def test_a_worker_that_is_called_otherwise_by_now_is_asked_from_the_next_round_on():
    run, orders = opened(ready("a", tags=("gpu",)), ready("b"), where="gpu")
    assert not asked(run.say(ready("b", tags=("gpu",))))
    assert sorted(asked(run.whole_round(orders))) == ["a", "b"]


# ---- readiness --------------------------------------------------------------------------------------


def test_a_worker_that_is_not_ready_is_not_asked_but_is_here():
    run, orders = opened("a", ready("b", unready="on battery"))
    assert list(orders) == ["a"]
    assert "b" in run.engine.roster


def test_what_a_worker_that_is_not_ready_any_more_has_under_way_counts():
    run, orders = opened("a", "b")
    assert run.say(readiness("b", "on battery")) == []
    run.answer(orders["a"])
    assert committed_by(run.answer(orders["b"])) == ("a", "b")
    assert list(asked(run.commit(1))) == ["a"]


def test_a_run_without_a_ready_worker_says_who_is_not_and_goes_on_once_one_is():
    run, orders = opened("a", "b")
    run.say(readiness("a", "on battery"), readiness("b", "it is available sat"))
    run.whole_round(orders)
    assert missing(run) == (
        "1 more ready worker for round 2 (a is not ready: on battery; b is not ready: it is available sat)"
    )
    assert list(asked(run.say(readiness("a")))) == ["a"]


def test_fewer_than_the_least_cohort_are_waited_for():
    run, orders = opened("a", "b", ready("c", unready="busy"), min_cohort=3)
    assert not orders
    assert missing(run) == "1 more ready worker for round 1 (c is not ready: busy)"
    assert sorted(asked(run.say(readiness("c")))) == ["a", "b", "c"]


def test_the_first_model_is_asked_of_one_that_is_ready_if_there_is_one():
    run = Run({"wait_for": "2"})
    [order] = of(AskModel, run.say(ready("a", unready="busy"), ready("b")))
    assert order.node == "b"
    alone = Run({"wait_for": "1"})
    [order] = of(AskModel, alone.say(ready("a", unready="busy")))
    assert order.node == "a"


def test_an_evaluator_that_is_not_ready_is_asked_once_it_is():
    run = Run({"wait_for": "1"}, EvaluateConfig(every=1))
    run.say(ready("eva", kind="evaluator", unready="busy"), ready("a"))
    actions = run.whole_round(asked(run.say(LOADED)))
    assert not of(AskEvaluate, actions)
    [order] = of(AskEvaluate, run.say(readiness("eva")))
    assert (order.node, order.round) == ("eva", 1)
    run.say(evaluated("eva", order.assignment, accuracy=0.5))


def test_readiness_of_a_node_that_is_not_here_changes_nothing():
    run, _ = opened("a")
    assert run.say(readiness("stranger", "busy"), readiness("stranger")) == []


# ---- where nobody waits for a cohort ----------------------------------------------------------------


def test_as_many_work_at_the_same_time_as_the_cohort_says():
    run, orders = opened(*NAMES[:6], schedule=BUFFERED, cohort="3")
    assert len(orders) == 3
    first = next(iter(orders.values()))
    actions = run.answer(first)
    [enlisted], [order] = of(Enlist, actions), of(AskTrain, actions)
    assert order.node == enlisted.part.node
    assert order.node not in orders


def test_who_comes_while_enough_are_at_work_waits_for_its_turn():
    run, orders = opened(*NAMES[:3], schedule=BUFFERED, cohort="3")
    assert len(orders) == 3
    assert not asked(run.say(ready("z")))
    assert list(asked(run.answer(orders[NAMES[0]]))) == ["z"]


def test_who_is_ready_by_now_is_asked_at_once_if_there_is_room():
    run, orders = opened("a", "b", ready("c", unready="busy"), schedule=BUFFERED)
    assert sorted(orders) == ["a", "b"]
    assert list(asked(run.say(readiness("c")))) == ["c"]
    assert not asked(run.say(readiness("c", "busy"), readiness("c")))  # it has its order


def test_what_goes_on_is_part_of_the_next_rounds_cohort():
    run, orders = opened(*NAMES[:6], schedule=BUFFERED, cohort="3")
    for order in [*orders.values()][:2]:
        actions = run.answer(order)
    assert committed_by(actions)
    at_work = set(orders) - set(committed_by(actions))  # and who was asked after the first answer
    assert len(asked(run.commit(1))) == 1
    assert at_work < set(run.fact(RoundOpened).cohort)
    assert len(run.fact(RoundOpened).cohort) == 3


def test_who_is_heavier_than_those_asked_first_may_take_their_place():
    workers = [ready(name, examples=10 ** (place + 1)) for place, name in enumerate("abc")]
    run, orders = opened(*workers, schedule=BUFFERED, cohort="1", settings={"seed": 2})
    assert list(orders) == ["b"]
    [order] = asked(run.answer(orders["b"], examples=100)).values()
    assert order.node == "c"


def test_who_comes_too_heavy_for_an_open_round_is_asked_in_the_next_and_takes_nobodys_place():
    run, orders = opened("a", "b", schedule=BUFFERED, cohort="3")
    assert list(asked(run.say(ready("x", examples=10_000), ready("z", examples=5)))) == ["z"]
    run.answer(orders["a"])
    run.answer(orders["b"])
    run.say(readiness("a", "busy"))
    assert sorted(asked(run.commit(1))) == ["b", "x"]


def test_one_that_works_at_a_time_is_enough_for_a_version_of_several():
    run, orders = opened(*NAMES[:4], schedule=BUFFERED, cohort="1", settings={"min_workers": 2})
    [first] = orders.values()
    [second] = asked(run.answer(first)).values()
    assert sorted(committed_by(run.answer(second))) == sorted([first.node, second.node])
