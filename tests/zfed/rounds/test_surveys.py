import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.zfed.rounds.driver import evaluated, failed
from zfed.engine import AskEvaluate, Cancel, OwedEvaluation, WorkerAnswer
from zfed.facts import EvaluationSkipped, Spread, WorkersEvaluated
from zfed.rounds.merging import Merging
from zfed.rounds.surveys import MAX_SURVEYS, Surveys, spread_of

ALL = ("alice", "bob", "carol")


def surveys(**settings):
    return Surveys(merging=Merging(), grace_s=10.0, timeout_s=100.0, **settings)


def owed(round, workers=ALL):
    return [
        OwedEvaluation(
            assignment=(1, 10 * round + place), round=round, version=round, subject="workers", worker=node
        )
        for place, node in enumerate(workers)
    ]


def number(round, node):
    return (1, 10 * round + ALL.index(node))


def ask(round, node):
    return AskEvaluate(
        node=node, assignment=number(round, node), round=round, version=round, subject="federated"
    )


def answer(desk, round, node, held_out=10, **metrics):
    return desk.answered(evaluated(node, number(round, node), **metrics), held_out)


def fact_of(actions):
    return actions[-1].fact


def test_all_who_are_here_are_asked_at_once():
    assert surveys().begin(owed(1), ALL, 0.0) == [ask(1, node) for node in ALL]


def test_a_survey_ends_with_the_last_answer_and_says_who_is_worst_and_best():
    desk = surveys()
    desk.begin(owed(3), ALL, 0.0)
    assert answer(desk, 3, "carol", loss=1.0, correct=5.0) == []
    assert answer(desk, 3, "alice", loss=2.0, correct=7.0) == []
    desk.merging.take("alice", {"correct": "sum"})
    assert fact_of(answer(desk, 3, "bob", loss=4.5, odd=1.0)) == WorkersEvaluated(
        round=3,
        version=3,
        workers=list(ALL),
        examples=30,
        metrics={"loss": 2.5, "correct": 12.0, "odd": 1.0},
        spread={
            "loss": Spread(worst=4.5, worst_worker="bob", median=2.0, best=1.0, best_worker="carol"),
        },
        missing=[],
    )
    assert not desk.open
    assert desk.any_done


def test_which_way_a_watched_metric_is_better_is_known_whatever_its_name():
    desk = surveys(higher={"odd": False}, validation=True)
    desk.begin(owed(1, ("alice",)), ALL, 0.0)
    fact = fact_of(answer(desk, 1, "alice", odd=1.0))
    assert fact.spread["odd"].best_worker == "alice"
    assert fact.validation


def test_an_answer_that_comes_twice_or_was_not_asked_for_changes_nothing():
    desk = surveys()
    desk.begin(owed(1), ALL, 0.0)
    answer(desk, 1, "alice")
    assert answer(desk, 1, "alice") == []
    assert answer(desk, 2, "alice") == []
    assert desk.find("alice", number(1, "alice")) is None
    assert desk.find("alice", number(1, "bob")) is None
    assert desk.find("bob", number(1, "bob")) is desk.open[1]


@pytest.mark.parametrize("held_out", [0, 9])
def test_a_worker_that_claims_more_examples_than_it_declared_does_not_count(held_out):
    desk = surveys()
    desk.begin(owed(1, ("alice", "bob")), ALL, 0.0)
    answer(desk, 1, "bob", accuracy=0.5)
    fact = fact_of(answer(desk, 1, "alice", held_out=held_out, accuracy=1.0))
    assert fact.metrics == {"accuracy": 0.5}
    assert fact.missing == [f"alice (says 10 examples, it declared {held_out})"]


def test_a_task_that_failed_is_missing_and_keeps_nobody_waiting():
    desk = surveys()
    desk.begin(owed(1, ("alice", "bob")), ALL, 0.0)
    answer(desk, 1, "bob")
    assert fact_of(desk.failed(failed("alice", number(1, "alice")))).missing == ["alice (ValueError: no)"]


def test_a_survey_without_an_answer_is_skipped_with_all_reasons():
    desk = surveys()
    desk.begin(owed(1, ("alice", "bob")), ALL, 0.0)
    desk.failed(failed("alice", number(1, "alice"), "no"))
    [told] = desk.gone("bob", left=True, now=1.0)
    reason = "no worker answered: alice (no), bob (left)"
    assert told.fact == EvaluationSkipped(round=1, subject="workers", reason=reason)
    assert not desk.any_done


def test_a_lost_worker_that_comes_back_is_asked_again_under_its_number():
    desk = surveys()
    desk.begin(owed(1), ALL, 0.0)
    desk.gone("bob", left=False, now=5.0)
    assert desk.next_wake == 15.0
    assert desk.back("bob") == [ask(1, "bob")]
    assert desk.expire(15.0) == []
    assert desk.next_wake == 100.0


def test_a_lost_worker_is_given_up_after_its_grace():
    desk = surveys()
    desk.begin(owed(1, ("alice", "bob")), ("alice",), 0.0)  # bob was lost while the version was written
    answer(desk, 1, "alice")
    assert desk.next_wake == 10.0
    assert fact_of(desk.expire(10.0)).missing == ["bob (lost, and not back in time)"]


def test_who_is_too_slow_is_told_to_stop_and_missing():
    desk = surveys()
    desk.begin(owed(1, ("alice", "bob")), ALL, 0.0)
    answer(desk, 1, "alice")
    reason = "no answer within 100 s"
    actions = desk.expire(100.0)
    assert actions[0] == Cancel(node="bob", assignment=number(1, "bob"), reason=reason)
    assert fact_of(actions).missing == [f"bob ({reason})"]


def test_of_too_many_surveys_the_oldest_ends_with_what_it_has():
    desk = surveys()
    for round in range(1, MAX_SURVEYS + 1):
        desk.begin(owed(round, ("alice", "bob")), ALL, 0.0)
        answer(desk, round, "alice")
    assert desk.versions == {1, 2, 3, 4}
    actions = desk.begin(owed(5), ALL, 0.0)
    told = next(action for action in actions if not isinstance(action, Cancel | AskEvaluate))
    assert told.fact.missing == ["bob (not done after 4 more versions)"]
    assert list(desk.open) == [2, 3, 4, 5]
    assert desk.awaited("bob") == [ask(round, "bob") for round in (2, 3, 4, 5)]


def test_a_survey_of_an_earlier_start_goes_on_with_the_answers_it_had():
    desk = surveys()
    before = WorkerAnswer(round=1, version=1, node="alice", examples=10, metrics={"loss": 1.0})
    assert desk.restore(owed(1, ALL)[1:], [before], now=0.0, until=40.0) == []
    assert desk.back("bob") == [ask(1, "bob")]
    assert answer(desk, 1, "bob", loss=3.0) == []
    assert desk.next_wake == 40.0
    fact = fact_of(desk.expire(40.0))
    assert (fact.workers, fact.metrics) == (["alice", "bob"], {"loss": 2.0})


def test_a_survey_of_an_earlier_start_whose_answers_were_all_there_ends_at_once():
    desk = surveys()
    before = WorkerAnswer(round=1, version=1, node="alice", examples=10, metrics={"loss": 1.0})
    [told] = desk.restore([], [before], now=0.0, until=40.0)
    assert told.fact.workers == ["alice"]


def test_given_up_surveys_tell_what_they_have():
    desk = surveys()
    desk.begin(owed(1, ("alice", "bob")), ALL, 0.0)
    answer(desk, 1, "alice")
    assert fact_of(desk.give_up("the run is over")).workers == ["alice"]
    assert desk.next_wake is None


@given(st.permutations(ALL), st.lists(st.floats(-1e308, 1e308), min_size=3, max_size=3))
def test_the_order_of_the_answers_leaves_no_trace(order, losses):
    def found(order):
        desk = surveys()
        desk.begin(owed(1), ALL, 0.0)
        *_, last = [answer(desk, 1, node, loss=losses[ALL.index(node)]) for node in order]
        return fact_of(last)

    assert found(order) == found(ALL)


@given(st.dictionaries(st.sampled_from("abcde"), st.floats(-1e308, 1e308), min_size=1), st.booleans())
@example({"a": 5e-324}, False)
@example({"a": 1.5e308, "b": 1.6e308}, True)
def test_a_spread_lies_between_its_worst_and_its_best(values, higher):
    spread = spread_of(values, higher=higher)
    low, high = sorted((spread.worst, spread.best))
    assert (low, high) == (min(values.values()), max(values.values()))
    assert low <= spread.median <= high
    assert values[spread.worst_worker] == spread.worst
    assert values[spread.best_worker] == spread.best
