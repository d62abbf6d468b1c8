from __future__ import annotations

from zfed.facts import Evaluated, EvaluationSkipped, Fact
from zfed.telemetry.evaluation_rounds import EvaluationRounds

from .conftest import WORKERS, committed, evaluated

LOSSES = dict.fromkeys(WORKERS, 0.5)


def ended_sets(facts: list[Fact]) -> list[list[tuple[int, str]]]:
    rounds = EvaluationRounds()
    return [
        [(fact.round, fact.subject) for fact in evaluations]
        for fact in facts
        for evaluations in rounds.take(fact)
    ]


def evaluation(round: int, subject: str) -> Evaluated:
    return evaluated(round, subject, 9000, 0.5)


def test_a_set_ends_with_its_last_model_and_shows_federated_last() -> None:
    subjects = ["federated", "alice", "bob", "charlie"]
    facts: list[Fact] = [committed(1, LOSSES), *(evaluation(1, subject) for subject in subjects)]
    assert ended_sets(facts[:-1]) == []
    assert ended_sets(facts) == [[(1, "alice"), (1, "bob"), (1, "charlie"), (1, "federated")]]


def test_a_skipped_model_is_not_waited_for() -> None:
    facts: list[Fact] = [
        committed(1, {"alice": 0.5, "bob": 0.5}),
        evaluation(1, "alice"),
        evaluation(1, "federated"),
        EvaluationSkipped(round=1, subject="bob", reason="it failed"),
    ]
    assert ended_sets(facts) == [[(1, "alice"), (1, "federated")]]


def test_an_incomplete_set_ends_when_the_next_begins() -> None:
    facts: list[Fact] = [
        committed(1, LOSSES),
        evaluation(1, "alice"),
        committed(2, LOSSES),
        evaluation(2, "alice"),
    ]
    assert ended_sets(facts) == [[(1, "alice")]]


def test_without_own_models_every_set_after_the_first_ends_at_once() -> None:
    facts: list[Fact] = [committed(1, LOSSES), evaluation(1, "federated")]
    assert ended_sets(facts) == []
    facts += [committed(2, LOSSES), evaluation(2, "federated")]
    assert ended_sets(facts) == [[(1, "federated")], [(2, "federated")]]


def test_the_end_of_the_run_ends_what_is_pending(run_facts: list[Fact]) -> None:
    assert ended_sets(run_facts) == [
        [(1, "alice"), (1, "charlie"), (1, "federated")],
        [(2, "alice"), (2, "bob"), (2, "federated")],
    ]
    assert ended_sets([evaluation(1, "alice"), run_facts[-1]]) == [[(1, "alice")]]


def test_what_a_worker_finds_on_its_held_out_data_is_shown_at_once() -> None:
    facts: list[Fact] = [evaluation(1, "workers"), evaluation(2, "workers")]
    assert ended_sets(facts) == [[(1, "workers")], [(2, "workers")]]
