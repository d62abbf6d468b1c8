from tests.zfed.rounds.driver import evaluated, evaluator
from zfed.engine import AskEvaluate, Cancel, OwedEvaluation, ReleaseModels, Tell
from zfed.facts import Evaluated, EvaluationSkipped
from zfed.rounds.evaluation import MAX_OWED_ROUNDS, EvaluationDesk

EVA, ZOE = evaluator("eva"), evaluator("zoe")


def desk(*rounds):
    """A desk that owes the federated model and alice's of these rounds."""
    made = EvaluationDesk()
    for number in rounds:
        assert made.owe(owed(number)) == []
    return made


def owed(round):
    """What is wanted of a round."""
    return (
        OwedEvaluation(
            assignment=(1, 2 * round), round=round, version=round, subject="alice", own_model="alice's"
        ),
        OwedEvaluation(assignment=(1, 2 * round + 1), round=round, version=round, subject="federated"),
    )


def ask(node, round, subject):
    [wanted] = [one for one in owed(round) if one.subject == subject]
    return AskEvaluate(node=node, assignment=wanted.assignment, round=round, version=round, subject=subject)


def skipped(round, subject, reason):
    return Tell(fact=EvaluationSkipped(round=round, subject=subject, reason=reason))


def test_nothing_is_asked_while_there_is_no_evaluator():
    assert desk(1).ask([]) == []


def test_the_first_evaluator_by_name_is_asked_for_all_that_is_owed_oldest_first():
    asked = desk(1, 2).ask([EVA, ZOE])
    assert asked == [ask("eva", round, subject) for round in (1, 2) for subject in ("alice", "federated")]


def test_nobody_is_asked_twice():
    owing = desk(1)
    owing.ask([EVA])
    assert owing.ask([EVA]) == []
    assert owing.ask([EVA, ZOE]) == []


def test_what_an_evaluator_that_went_away_was_asked_is_asked_of_another_under_the_same_number():
    owing = desk(1)
    owing.ask([EVA])
    owing.gone("eva")
    assert owing.ask([]) == []
    assert owing.ask([ZOE]) == [ask("zoe", 1, "alice"), ask("zoe", 1, "federated")]


def test_what_an_evaluator_has_not_answered_can_be_asked_of_it_again_under_the_same_numbers():
    owing = desk(1)
    assert owing.awaited("eva") == []
    asked = owing.ask([EVA, ZOE])
    assert (owing.awaited("eva"), owing.awaited("zoe")) == (asked, [])
    owing.done(evaluated("eva", (1, 2)))
    assert owing.awaited("eva") == asked[1:]
    owing.gone("eva")
    assert owing.awaited("eva") == []


def test_a_result_is_told_and_counts_once():
    owing = desk(1)
    owing.ask([EVA])
    result = evaluated("eva", (1, 2), loss=0.5)
    fact = Evaluated(round=1, subject="alice", evaluator="eva", examples=10, metrics={"loss": 0.5}, version=1)
    assert owing.done(result) == [Tell(fact=fact)]
    assert owing.done(result) == []
    assert owing.any_done


def test_models_are_released_when_nothing_of_their_round_is_owed_any_more():
    owing = desk(1)
    owing.ask([EVA])
    owing.done(evaluated("eva", (1, 2)))
    assert owing.done(evaluated("eva", (1, 3)))[-1] == ReleaseModels(round=1)


def test_a_result_that_is_not_owed_changes_nothing():
    owing = desk(1)
    owing.ask([EVA])
    assert owing.done(evaluated("eva", (9, 9))) == []
    assert len(owing.owed) == 2
    assert not owing.any_done


def test_a_result_that_is_being_written_is_not_given_up():
    owing = desk(1)
    owing.ask([EVA])
    owing.recording.add((1, 2))
    owing.skip(1, "too late")
    assert list(owing.owed) == [(1, 2)]


def test_a_result_whose_evaluator_went_while_it_was_written_counts():
    owing = desk(1)
    owing.ask([EVA])
    owing.gone("eva")
    assert [type(action) for action in owing.done(evaluated("eva", (1, 2)))] == [Tell]
    assert owing.ask([ZOE]) != []
    stopped, *_ = owing.done(evaluated("eva", (1, 3)))
    assert stopped == Cancel(node="zoe", assignment=(1, 3), reason="it is done already")
    assert not owing.owed


def test_an_evaluation_that_raised_is_skipped_and_not_asked_again():
    owing = desk(1)
    owing.ask([EVA])
    assert owing.failed("eva", (1, 2), "ValueError: no") == [skipped(1, "alice", "ValueError: no")]
    owing.gone("eva")
    assert owing.ask([EVA]) == [ask("eva", 1, "federated")]


def test_a_failure_told_by_a_node_that_was_not_asked_changes_nothing():
    owing = desk(1)
    owing.ask([EVA])
    assert owing.failed("mallory", (1, 2), "boo") == []
    assert len(owing.owed) == 2


def test_the_oldest_round_is_dropped_when_too_many_are_owed():
    owing = desk(*range(1, MAX_OWED_ROUNDS + 1))
    reason = f"more than {MAX_OWED_ROUNDS} rounds were waiting for an evaluator"
    assert owing.owe(owed(9)) == [
        skipped(1, "alice", reason),
        skipped(1, "federated", reason),
        ReleaseModels(round=1),
    ]
    assert {one.round for one in owing.owed.values()} == {2, 3, 4, 9}


def test_an_evaluator_is_told_that_its_work_is_not_wanted_any_more():
    owing = desk(1)
    owing.ask([EVA])
    owing.done(evaluated("eva", (1, 2)))
    assert owing.skip(None, "late") == [
        Cancel(node="eva", assignment=(1, 3), reason="late"),
        skipped(1, "federated", "late"),
        ReleaseModels(round=1),
    ]
    assert owing.owed == {}


def test_a_result_by_which_decisions_are_made_says_so_of_the_common_model_alone():
    owing = desk(1)
    owing.validation = True
    owing.ask([EVA])
    facts = [action.fact for number in (2, 3) for action in owing.done(evaluated("eva", (1, number)))[:1]]
    assert [(fact.subject, fact.validation) for fact in facts] == [("alice", False), ("federated", True)]
