import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zfed.facts import NodeJoined, RoundCommitted, UpdateRefused
from zfed.nodes import journal_lines
from zfed.rounds.participation import ParticipationTally

NAMES = ("a", "b", "c")


def joined(node, kind="worker"):
    return NodeJoined(node=node, kind=kind, examples=1, partition="", label_counts=None, rejoined=False)


def committed(version, weights, missing=()):
    return RoundCommitted(
        round=version,
        rounds=9,
        version=version,
        seconds=1.0,
        bytes_down=0,
        bytes_up=0,
        workers=list(weights),
        weights=list(weights.values()),
        missing=list(missing),
        train={},
        per_worker={},
    )


def refused(node, code, round=1):
    return UpdateRefused(node=node, round=round, code=code, reason="no")


def line_of(fact):
    """What the journal keeps of a fact, as far as this is concerned."""
    match fact:
        case NodeJoined():
            return journal_lines.joined(fact)
        case UpdateRefused():
            return journal_lines.refused(fact)
    metrics = {"weights": fact.weights}
    return {"event": "committed", "workers": fact.workers, "missing": fact.missing, "metrics": metrics}


def parts(tally):
    return {part.node: part for part in tally.report().workers}


def told(*facts):
    tally = ParticipationTally()
    for fact in facts:
        tally.take(fact)
    return tally


def test_who_took_part_how_often_and_with_how_much():
    tally = told(
        committed(1, {"a": 0.25, "b": 0.75}),
        committed(2, {"a": 1.0}, ["b (lost, and not back in time)", "c (refused: it is not finite)"]),
    )
    assert tally.report().versions == 2
    seen = {node: (part.asked, part.counted, part.share) for node, part in parts(tally).items()}
    assert seen == {"a": (2, 2, 0.625), "b": (2, 1, 0.375), "c": (1, 0, 0.0)}


def test_refused_updates_and_late_ones_are_told_apart_and_first_models_do_not_count():
    tally = told(refused("a", "not-finite"), refused("a", "stale"), refused("a", "layout", round=0))
    assert (parts(tally)["a"].refused, parts(tally)["a"].late) == (1, 1)


def test_a_worker_that_was_never_asked_is_part_of_it_and_an_evaluator_is_not():
    tally = told(joined("a"), joined("eva", "evaluator"))
    assert list(parts(tally)) == ["a"]
    assert parts(tally)["a"].asked == 0


@st.composite
def histories(draw):
    facts = []
    for version in range(1, draw(st.integers(1, 6)) + 1):
        workers = draw(st.lists(st.sampled_from(NAMES), unique=True, min_size=1))
        missing = [f"{name} (left)" for name in NAMES if name not in workers and draw(st.booleans())]
        facts.append(committed(version, dict.fromkeys(workers, 1 / len(workers)), missing))
        if draw(st.booleans()):
            facts.append(refused(draw(st.sampled_from(NAMES)), draw(st.sampled_from(["stale", "norm"]))))
    return facts


@given(histories())
def test_the_journal_tells_the_same_as_the_run_did(facts):
    assert ParticipationTally.read(map(line_of, facts)).report() == told(*facts).report()


@given(histories())
def test_all_shares_are_one_whole_and_nobody_counts_more_often_than_it_was_asked(facts):
    report = told(*facts).report()
    assert math.isclose(sum(part.share for part in report.workers), 1.0)
    assert all(part.counted <= part.asked <= report.versions for part in report.workers)
    assert [part.node for part in report.workers] == sorted(part.node for part in report.workers)


@pytest.mark.parametrize("line", [{"event": "committed", "version": 0}, {"event": "opened"}, {}])
def test_lines_that_say_nothing_of_it_change_nothing(line):
    assert ParticipationTally.read([line]).report() == ParticipationTally().report()
