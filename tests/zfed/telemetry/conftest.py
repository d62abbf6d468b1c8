"""A run as a coordinator tells it: three workers, an intruder, a NaN, a failed task, a retried round."""

from __future__ import annotations

import pytest

from zfed.facts import (
    CoordinatorStarted,
    Evaluated,
    EvaluationSkipped,
    Fact,
    ModelReady,
    NodeJoined,
    NodeLeft,
    NodeRefused,
    Progress,
    RoundCommitted,
    RoundOpened,
    RoundRetried,
    RunEnded,
    Spread,
    TaskFailed,
    UpdateAccepted,
    UpdateRefused,
    UploadsPlanned,
    Waiting,
    WorkerRound,
    WorkersEvaluated,
)

WORKERS = {"alice": 24754, "bob": 17181, "charlie": 18065}
DIGITS = {"alice": (0, 1, 2, 3), "bob": (4, 5, 6), "charlie": (7, 8, 9)}
TRACEBACK = """Traceback (most recent call last):
  File "task.py", line 31, in train
    loss.backward()
RuntimeError: out of memory
"""


def joined(node: str) -> NodeJoined:
    digits = DIGITS[node]
    counts = {str(digit): WORKERS[node] // len(digits) for digit in digits}
    counts[str(digits[0])] += WORKERS[node] - sum(counts.values())
    return NodeJoined(
        node=node,
        kind="worker",
        examples=WORKERS[node],
        partition=f"labels {digits[0]}-{digits[-1]}",
        label_counts=counts,
        rejoined=False,
    )


def opened(round: int, *, attempt: int = 1, rounds: int = 2) -> RoundOpened:
    return RoundOpened(round=round, rounds=rounds, version=round - 1, cohort=list(WORKERS), attempt=attempt)


def progress(node: str, round: int, done: int, *, stage: str = "train") -> Progress:
    return Progress(node=node, round=round, stage=stage, done=done, total=10, metrics={"loss": 2.1})


def accepted(node: str, round: int, loss: float) -> UpdateAccepted:
    return UpdateAccepted(
        node=node,
        round=round,
        examples=320,
        steps=10,
        seconds=0.84,
        bytes=1_724_320,
        metrics={"loss": loss},
    )


def committed(round: int, losses: dict[str, float], *, rounds: int = 2) -> RoundCommitted:
    return RoundCommitted(
        round=round,
        rounds=rounds,
        version=round,
        seconds=1.24,
        bytes_down=5_172_960,
        bytes_up=1_724_320 * len(losses),
        workers=list(losses),
        weights=[1 / len(losses)] * len(losses),
        missing=[name for name in WORKERS if name not in losses],
        train={"loss": sum(losses.values()) / len(losses)},
        per_worker={
            name: WorkerRound(examples=320, steps=10, seconds=0.84, norm=0.5, metrics={"loss": loss})
            for name, loss in losses.items()
        },
        refused={"norm": 1},
    )


def evaluated(round: int, subject: str, correct: int, loss: float) -> Evaluated:
    digits = DIGITS.get(subject, tuple(range(10)))
    predicted: dict[str, float] = {str(digit): 10_000 // len(digits) for digit in digits}
    predicted[str(digits[0])] += 10_000 - sum(predicted.values())
    return Evaluated(
        round=round,
        subject=subject,
        evaluator="evaluator",
        examples=10_000,
        metrics={"loss": loss, "correct": correct, "accuracy": correct / 10_000, "predicted": predicted},
    )


def surveyed(round: int, *, validation: bool = False) -> WorkersEvaluated:
    return WorkersEvaluated(
        round=round,
        version=round,
        workers=["alice", "bob"],
        examples=400,
        metrics={"loss": 0.5, "correct": 350, "accuracy": 0.875, "predicted": {"0": 400}},
        spread={
            "loss": Spread(worst=0.75, worst_worker="bob", median=0.5, best=0.25, best_worker="alice"),
            "accuracy": Spread(worst=0.75, worst_worker="bob", median=0.875, best=1.0, best_worker="alice"),
        },
        missing=["charlie (left)"],
        validation=validation,
    )


@pytest.fixture
def run_facts() -> list[Fact]:
    return [
        CoordinatorStarted(
            run="mnist-1", directory="runs/mnist-1", address="tcp://0.0.0.0:8777", rounds=2, protected=False
        ),
        Waiting(missing="alice, bob, charlie", remaining_s=3600.0),
        UploadsPlanned(
            budget=4_000_000_000, origin="half of what is free", reserved=20_691_840, in_memory=8, on_disk=0
        ),
        joined("alice"),
        NodeRefused(node="alice", code="name_taken", reason="alice is connected from another machine"),
        NodeJoined(
            node="evaluator",
            kind="evaluator",
            examples=10_000,
            partition="all",
            label_counts=None,
            rejoined=False,
        ),
        joined("bob"),
        joined("charlie"),
        ModelReady(
            source="evaluator",
            parameters=431_080,
            bytes=1_724_320,
            tensors=8,
            layout="3f2a91c0d4e5f60718293a4b5c6d7e8f",
        ),
        opened(1),
        progress("alice", 1, 0, stage="download"),
        progress("alice", 1, 5),
        accepted("alice", 1, 0.52),
        accepted("bob", 1, 0.48),
        accepted("charlie", 1, 0.5),
        committed(1, {"alice": 0.52, "bob": 0.48, "charlie": 0.5}),
        evaluated(1, "alice", 4100, 5.2),
        EvaluationSkipped(round=1, subject="bob", reason="the evaluator is 3 evaluations behind"),
        evaluated(1, "charlie", 2950, 6.4),
        evaluated(1, "federated", 6900, 1.31),
        opened(2),
        UpdateRefused(
            node="bob",
            round=2,
            code="not_finite",
            reason="bob, round 2: tensor conv1.weight holds NaN; lower the learning rate",
        ),
        TaskFailed(
            node="charlie",
            round=2,
            work="train",
            error="RuntimeError: out of memory",
            traceback=TRACEBACK,
        ),
        NodeLeft(node="charlie", kind="worker", reason="no answer for 10 s"),
        RoundRetried(
            round=2, attempt=1, attempts=4, answered=["alice"], missing=["bob", "charlie"], needed=2
        ),
        opened(2, attempt=2),
        accepted("alice", 2, 0.31),
        accepted("bob", 2, 0.33),
        committed(2, {"alice": 0.31, "bob": 0.33}),
        evaluated(2, "alice", 4200, 4.9),
        evaluated(2, "bob", 2900, 6.1),
        evaluated(2, "federated", 9592, 0.1301),
        RunEnded(
            status="completed",
            reason="",
            rounds_done=2,
            rounds=2,
            version=2,
            evaluated=True,
            model="runs/mnist-1/model.safetensors",
            metrics="runs/mnist-1/metrics.jsonl",
            plot="runs/mnist-1/curves.png",
            protected=False,
        ),
    ]
