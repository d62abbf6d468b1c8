from __future__ import annotations

import typing

import msgspec
import pytest

from zfed.facts import (
    AnyFact,
    BestVersion,
    Connected,
    Connecting,
    CoordinatorStarted,
    Disconnected,
    DoorCounts,
    Fact,
    NodeJoined,
    NodeStarted,
    NothingToWatch,
    ReadinessChanged,
    RunEnded,
    TaskFailed,
    UpdateAccepted,
    UploadsPlanned,
    WorkerBenched,
    WorkLimited,
)
from zfed.telemetry.sentences import INSECURE, describe, evaluation_words, summary

from .conftest import accepted, evaluated, surveyed


def started(**changes: object) -> NodeStarted:
    fields: dict[str, object] = {
        "node": "alice",
        "kind": "worker",
        "coordinator": "tcp://127.0.0.1:8777",
        "examples": 24754,
        "partition": "labels 0-3",
        "label_counts": {"0": 5923, "1": 6742, "2": 5958, "3": 6131},
        "leaving": ["number of examples: 24,754", "partition: labels 0-3"],
        "notes": [],
        "protected": True,
    }
    return NodeStarted(**{**fields, **changes})  # type: ignore[arg-type]


def ended(**changes: object) -> RunEnded:
    fields: dict[str, object] = {
        "status": "completed",
        "reason": "",
        "rounds_done": 40,
        "rounds": 40,
        "version": 40,
        "evaluated": False,
        "model": "",
        "metrics": "",
        "plot": "",
        "protected": True,
    }
    return RunEnded(**{**fields, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", typing.get_args(AnyFact))
def test_every_fact_has_words(kind: type[Fact]) -> None:
    assert describe.dispatch(kind) is not describe.dispatch(object)


def test_a_starting_worker_shows_its_data_and_what_leaves_the_machine() -> None:
    assert describe(started()) == [
        "worker alice: 24,754 training examples (labels 0-3)",
        "  label          0       1       2       3   total",
        "  examples   5,923   6,742   5,958   6,131  24,754",
        "about these data, only this leaves the machine:",
        "  - number of examples: 24,754",
        "  - partition: labels 0-3",
        "coordinator: tcp://127.0.0.1:8777",
    ]


def test_an_evaluator_has_test_examples() -> None:
    lines = describe(started(node="evaluator", kind="evaluator", leaving=[], label_counts=None))
    assert lines[0] == "evaluator: 24,754 test examples (labels 0-3)"
    assert "nothing about these data leaves the machine" in lines


def test_what_a_node_keeps_apart_is_said_with_what_it_is_for() -> None:
    worker = describe(started(held_out=100))
    assert worker[0] == "worker alice: 24,754 training examples and 100 held out (labels 0-3)"
    eva = describe(started(node="eva", kind="evaluator", examples=100, held_out=9_900, partition=""))
    assert eva[0] == "evaluator eva: 9,900 test examples and 100 root examples"


def test_a_root_update_is_called_one() -> None:
    update = UpdateAccepted(
        node="eva", round=2, examples=100, steps=4, seconds=0.5, bytes=31_400, metrics={}, root=True
    )
    assert describe(update)[0].startswith("round 2: root update from eva: 100 examples, 4 steps")


def test_an_unprotected_node_says_so_at_start_and_at_the_end() -> None:
    assert INSECURE in describe(started(protected=False))[-1]
    assert INSECURE in summary(ended(protected=False))[-1]
    assert not any(INSECURE in line for line in [*describe(started()), *summary(ended())])


def test_a_searching_node_says_how_long_it_will_go_on() -> None:
    search = Connecting(address="tcp://10.0.0.1:8777", elapsed_s=5.0, remaining_s=595.0)
    assert describe(search) == [
        "no coordinator answers at tcp://10.0.0.1:8777 after 5.0 s: still trying, for another 9 min 55 s"
    ]
    several = Connecting(address="tcp://b:1", others=["tcp://a:1"], elapsed_s=5.0, remaining_s=None)
    assert describe(several)[0].startswith("no coordinator answers at tcp://b:1 nor at tcp://a:1 after 5.0 s")
    for_ever = Connecting(address="tcp://10.0.0.1:8777", elapsed_s=5.0, remaining_s=None)
    assert describe(for_ever)[0].endswith("still trying, until stopped")


def test_work_that_an_owner_cut_short_is_told_at_both_sides() -> None:
    limited = WorkLimited(node="alice", round=3, limited="max-seconds", steps=12, seconds=5.0)
    assert describe(limited) == ["round 3: training ended after 12 steps and 5.0 s, as --max-seconds says"]
    whole = accepted("alice", 3, 0.5)
    [line] = describe(msgspec.structs.replace(whole, limited="max-seconds"))
    assert line == f"{describe(whole)[0]}, cut short by its owner's --max-seconds"


def test_announcements_follow_the_welcome() -> None:
    welcome = Connected(run="m", address="tcp://h:1", announcements=["your own model will be evaluated"])
    assert describe(welcome) == ["connected to tcp://h:1, run m", "  your own model will be evaluated"]
    smaller = Connected(
        run="m", address="tcp://h:1", announcements=[], compress="int8", compress_model="bf16"
    )
    assert describe(smaller)[1:] == ["  in fewer bytes: updates as int8, models as bf16"]
    assert describe(Disconnected(reason="no answer for 10 s")) == [
        "coordinator lost: no answer for 10 s; trying to reach it again"
    ]


def test_a_run_without_an_evaluator_ends_with_the_word_not_evaluated() -> None:
    assert summary(ended(), elapsed_s=200.0) == [
        "run completed: 40 of 40 rounds in 3 min 20 s",
        "not evaluated: no evaluator answered",
    ]


def test_a_failed_run_gives_its_reason() -> None:
    assert "reason: bob and charlie are missing" in summary(
        ended(status="failed", rounds_done=3, reason="bob and charlie are missing")
    )


def test_a_run_at_whose_door_something_was_kept_out_ends_with_one_line_of_it() -> None:
    door = DoorCounts(
        keys={"admitted": 3, "refused": 2}, connections={"unfinished": 1200}, nodes={"layout": 1}
    )
    assert "kept out: 2 keys, 1,200 connections, 1 node" in summary(ended(door=door))
    assert not any("kept out" in line for line in summary(ended(door=DoorCounts(keys={"admitted": 3}))))


def test_a_benched_worker_is_told_of_with_its_reason() -> None:
    benched = WorkerBenched(node="bob", round=4, strikes=3, reason="bob is benched: 3 updates were refused")
    assert describe(benched) == ["round 4: bob is benched: 3 updates were refused"]


def test_without_classes_an_evaluation_shows_whatever_numbers_there_are() -> None:
    regression = evaluated(1, "federated", 0, 0.0)
    fact = type(regression)(
        round=1, subject="federated", evaluator="e", examples=50, metrics={"loss": 0.25, "mae": 0.4}
    )
    assert evaluation_words(fact) == "loss 0.2500, mae 0.4000"


def test_of_a_run_that_failed_no_node_says_that_it_was_completed() -> None:
    """A worker that did its part ends without an error of its own."""
    failed = "the coordinator's run failed: the disk is full"
    lines = describe(ended(rounds_done=3, reason=failed, evaluated=True))
    assert lines == ["run ended: 3 of 40 rounds", f"reason: {failed}"]


def test_of_a_traceback_the_end_is_shown_however_long_somebody_makes_it() -> None:
    text = "\n".join([*("x" for _ in range(8000)), "RuntimeError: out of paper"])
    failed = TaskFailed(node="alice", round=3, work="train", error="out of paper", traceback=text)
    lines = describe(failed)
    assert len(lines) == 101
    assert lines[-1] == "  | RuntimeError: out of paper"


def test_a_node_that_joins_says_what_it_is_called_and_whether_it_can_work() -> None:
    fact = NodeJoined(
        node="alice",
        kind="worker",
        examples=5,
        partition="all",
        label_counts=None,
        rejoined=False,
        tags=["gpu", "site=a"],
        ignored_tags=["site=b"],
        unready="on battery",
    )
    assert describe(fact) == [
        "worker alice joined: 5 examples (all), called gpu, site=a",
        "  it claims to be site=b, which does not count: it was enrolled otherwise",
        "  not ready: on battery",
    ]


@pytest.mark.parametrize(
    ("unready", "sentence"),
    [("on battery", "worker alice is not ready: on battery"), ("", "worker alice is ready")],
)
def test_readiness_is_a_sentence(unready: str, sentence: str) -> None:
    assert describe(ReadinessChanged(node="alice", kind="worker", unready=unready)) == [sentence]


def test_a_coordinator_says_at_its_start_which_strategy_it_has_with_which_options() -> None:
    fact = CoordinatorStarted(
        run="r",
        directory="runs/r",
        address="tcp://127.0.0.1:1",
        rounds=3,
        protected=True,
        strategy="fedadam, server_learning_rate 0.01, tau 0.001",
    )
    assert "strategy: fedadam, server_learning_rate 0.01, tau 0.001" in describe(fact)


def test_what_a_strategy_keeps_is_told_with_the_budget() -> None:
    fact = UploadsPlanned(
        budget=10**9,
        origin="--memory-budget",
        reserved=10**8,
        in_memory=2,
        on_disk=0,
        strategy="median",
        kept=7,
        kept_bytes=35_000_000,
    )
    assert describe(fact)[1:] == ["  median keeps up to 7 updates: 35.0 MB of that"]


def test_what_workers_found_is_told_with_its_ends_and_who_is_missing() -> None:
    assert describe(surveyed(3)) == [
        "round 3: federated model on the held-out data of 2 workers: accuracy 87.50 %, 350/400 correct, "
        "loss 0.5000 nats",
        "  loss: worst 0.7500 (bob), median 0.5000, best 0.2500 (alice)",
        "  accuracy: worst 75.00 % (bob), median 87.50 %, best 100.00 % (alice)",
        "  without charlie (left)",
    ]


def test_a_set_that_decides_which_version_is_best_is_called_validation_wherever_it_is_told() -> None:
    central = msgspec.structs.replace(evaluated(3, "federated", 9000, 0.5), validation=True)
    assert describe(central)[0].startswith("round 3: federated model (validation): ")
    assert "2 workers (validation): " in describe(surveyed(3, validation=True))[0]
    best = BestVersion(metric="accuracy", value=0.9, round=2, version=2, watched_on="central")
    end = ended(best=best, best_model="runs/a/best.safetensors")
    lines = summary(end, federated=central)
    assert lines[1].startswith("federated model of round 3 (validation): ")
    assert "best version: round 2, accuracy 90.00 % on the evaluator's data (validation)" in lines
    assert "best:    runs/a/best.safetensors" in lines


def test_a_metric_that_is_watched_in_vain_is_said_with_those_that_there_are() -> None:
    assert describe(NothingToWatch(round=1, metric="f1", reported=["accuracy", "loss"])) == [
        "round 1: --watch f1: no evaluation has a number of that name; reported are accuracy, loss"
    ]
    assert describe(NothingToWatch(round=1, metric="f1", reported=[]))[0].endswith("no number is reported")
