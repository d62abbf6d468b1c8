from __future__ import annotations

import pytest

from zfed.chronicle.alike import likeness, together


def joined(node, *, kind="worker", rejoined=False):
    return {"event": "joined", "node": node, "kind": kind, "examples": 5, "rejoined": rejoined}


def left(node, *, left, reason=""):
    return {"event": "left", "node": node, "kind": "worker", "left": left, "reason": reason}


def evaluated(subject, **metrics):
    return {"event": "evaluated", "round": 3, "subject": subject, "node": "eve", "metrics": metrics}


def skipped(subject, reason="too old"):
    return {"event": "skipped", "round": 3, "subject": subject, "reason": reason}


@pytest.mark.parametrize(
    ("records", "sentence"),
    [
        ([joined("a")], "worker a joined (5 examples)"),
        ([joined("a", rejoined=True)], "worker a is back (5 examples)"),
        ([joined("evaluator", kind="evaluator")], "evaluator joined (5 examples)"),
        ([joined("a"), joined("b")], "2 workers joined (10 examples): a, b"),
        ([joined("a", rejoined=True), joined("b", rejoined=True)], "2 workers are back (10 examples): a, b"),
        ([left("a", left=True, reason="done")], "worker a left: done"),
        ([left("a", left=False)], "worker a was lost"),
        (
            [left("a", left=False, reason="silent"), left("b", left=False, reason="silent")],
            "2 workers were lost (a, b): silent",
        ),
        ([evaluated("federated", accuracy=0.5, examples=8)], "round 3: federated model: accuracy 50.00 %"),
        (
            [evaluated("workers", accuracy=0.5, workers=2, missing=[], spread={}, validation=True)],
            "round 3: federated model on held-out data (validation): accuracy 50.00 %",
        ),
        ([evaluated("a", loss=0.5)], "round 3: a's own model: loss 0.5000"),
        ([skipped("a")], "round 3: a's own model was not evaluated: too old"),
        ([skipped(f"w{n}") for n in range(20)], "round 3: 20 models not evaluated: too old"),
    ],
)
def test_lines_of_one_likeness_make_one_sentence(records, sentence):
    assert len({likeness(record) for record in records}) == 1
    assert together(records) == [sentence]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (joined("a"), joined("b", rejoined=True)),
        (joined("a"), joined("b", kind="evaluator")),
        (left("a", left=True), left("b", left=False)),
        (left("a", left=False, reason="silent"), left("b", left=False, reason="gone")),
        (evaluated("a"), evaluated("federated")),
        (evaluated("a"), evaluated("workers")),
        (evaluated("federated"), evaluated("workers")),
        (evaluated("a"), {**evaluated("b"), "round": 4}),
        (skipped("a"), skipped("b", reason="no room")),
    ],
)
def test_lines_that_say_something_else_stay_apart(one, other):
    assert likeness(one) != likeness(other)


def test_few_own_models_are_told_one_by_one_and_many_as_a_range():
    few = [evaluated(f"w{n}", accuracy=n / 10) for n in range(3)]
    assert len(together(few)) == 3
    many = [evaluated(f"w{n}", accuracy=n / 100, loss=1.0) for n in range(30)]
    assert together(many) == ["round 3: 30 workers' own models evaluated: accuracy 0.0 % to 29.0 %"]
    without = [evaluated(f"w{n}") for n in range(30)]
    assert together(without) == ["round 3: 30 workers' own models evaluated"]
