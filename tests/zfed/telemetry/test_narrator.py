from __future__ import annotations

from zfed.facts import RunEnded, Waiting
from zfed.telemetry.narrator import Narrator
from zfed.telemetry.sentences import NOT_EVALUATED

from .conftest import evaluated, progress, surveyed

ENDED = RunEnded(
    status="completed",
    reason="",
    rounds_done=2,
    rounds=2,
    version=2,
    evaluated=True,
    model="",
    metrics="",
    plot="",
    protected=True,
)


def test_progress_within_ten_seconds_is_not_told() -> None:
    narrator = Narrator()
    assert not any(narrator.lines(progress("alice", 1, done), now=done) for done in range(10))


def test_progress_of_a_long_round_is_told_once_in_ten_seconds_for_each_node() -> None:
    narrator = Narrator()
    told = [
        line
        for second in range(35)
        for node in ("alice", "bob")
        for line in narrator.lines(progress(node, 1, second // 4), now=float(second))
    ]
    assert told == [
        "round 1: alice: train 2 of 10 (20 %), loss 2.1000",
        "round 1: bob: train 2 of 10 (20 %), loss 2.1000",
        "round 1: alice: train 5 of 10 (50 %), loss 2.1000",
        "round 1: bob: train 5 of 10 (50 %), loss 2.1000",
        "round 1: alice: train 7 of 10 (70 %), loss 2.1000",
        "round 1: bob: train 7 of 10 (70 %), loss 2.1000",
    ]


def test_a_new_round_starts_the_silence_anew() -> None:
    narrator = Narrator()
    narrator.lines(progress("alice", 1, 0), now=0.0)
    assert narrator.lines(progress("alice", 2, 0), now=60.0) == []


def test_the_same_wait_is_told_every_ten_seconds_and_a_new_one_at_once() -> None:
    narrator = Narrator()
    waits = [(0.0, "bob"), (1.0, "bob"), (2.0, "charlie"), (11.0, "charlie"), (12.0, "charlie")]
    told = [bool(narrator.lines(Waiting(missing=who, remaining_s=60.0), now=now)) for now, who in waits]
    assert told == [True, False, True, False, True]


def test_the_summary_has_the_last_word_of_the_evaluator_and_of_the_workers() -> None:
    narrator = Narrator()
    for fact in (surveyed(1), evaluated(2, "federated", 9000, 0.5), surveyed(2, validation=True)):
        narrator.lines(fact, now=0.0)
    lines = narrator.lines(ENDED, now=1.0)
    assert [line for line in lines if line.startswith("federated model")] == [
        "federated model of round 2: accuracy 90.00 %, 9,000/10,000 correct, loss 0.5000 nats",
        "federated model on the held-out data of 2 workers (validation), round 2: accuracy 87.50 %, "
        "350/400 correct, loss 0.5000 nats",
    ]


def test_of_a_run_that_only_workers_evaluated_nobody_says_that_it_was_not() -> None:
    narrator = Narrator()
    narrator.lines(surveyed(1), now=0.0)
    assert NOT_EVALUATED not in narrator.lines(ENDED, now=1.0)
