"""What is written is what is read: through JSON, as on the disk."""

import orjson
import pytest

from zfed.engine import Commit, EvaluationDone, OpenAttempt, OpenPart, OpenRound, OwedEvaluation, WorkerAnswer
from zfed.facts import EvaluationSkipped, NodeJoined, RoundCommitted, UpdateRefused, WorkersEvaluated
from zfed.nodes import journal_lines
from zfed.nodes.journal_lines import Past

FIRST = {"event": "committed", "version": 0, "model": "m", "state": "", "source": "alice"}


def through_json(line):
    return orjson.loads(orjson.dumps(dict(line)))


def joined(node, kind="worker"):
    return journal_lines.joined(
        NodeJoined(node=node, kind=kind, examples=9, partition="", label_counts=None, rejoined=False)
    )


def left(node, *, left=True):
    return journal_lines.left(node, "worker", left=left, reason="enough")


def part(node, number, examples, version):
    return OpenPart(node=node, assignment=(1, number), examples=examples, round=version + 1, version=version)


def opened(version, *cohort, attempt=1, root=None):
    parts = tuple(part(node, 10 * version + k, 5 + k, version) for k, node in enumerate(cohort))
    return journal_lines.opened(
        OpenRound(
            round=version + 1,
            attempt=attempt,
            version=version,
            parts=parts,
            goal=len(parts),
            updates=len(parts),
            grid=2.0**-40,
            value_range=64.0,
            max_norm=8.0,
            root=root,
        )
    )


def owed(version, subject="federated", model=""):
    number = (1, 100 * version + len(subject))
    return OwedEvaluation(assignment=number, round=version, version=version, subject=subject, own_model=model)


def committed(version, *workers, evaluations=(), root=None):
    summary = RoundCommitted(
        round=version,
        rounds=9,
        version=version,
        seconds=1.5,
        bytes_down=0,
        bytes_up=0,
        workers=list(workers),
        weights=[1.0 for _ in workers],
        missing=["dora (left)"],
        train={"loss": 0.5},
        per_worker={},
    )
    action = Commit(
        round=version,
        version=version,
        workers=workers,
        assignments=tuple((1, 10 * version + k) for k in range(len(workers))),
        value_range=8.0 * version,
        norm=0.5 * version,
        evaluations=evaluations,
        summary=summary,
        root=root,
    )
    facts = journal_lines.commit_facts(action, 7, 9)
    return {**facts, "event": "committed", "version": version, "model": "m", "state": ""}


def evaluated(what):
    done = EvaluationDone(node="eva", assignment=what.assignment, examples=3, metrics={"loss": 0.25})
    return journal_lines.evaluated(done, what)


def point(*lines, version=99):
    return Past.read(map(through_json, lines), version).point


def test_a_run_without_a_version_stands_before_the_first():
    assert point(joined("alice")).version == -1
    assert point().present == ()


def test_the_last_commit_is_where_a_run_stands():
    found = point(FIRST, committed(1, "alice", "bob"), committed(2, "alice"))
    assert (found.version, found.round, found.value_range) == (2, 2, 16.0)
    assert found.committed == {"alice": ((1, 20), 2), "bob": ((1, 11), 1)}


def test_commits_of_versions_that_cannot_be_used_are_as_if_they_had_not_been():
    lines = [FIRST, committed(1, "alice"), opened(1, "alice"), committed(2, "alice"), opened(2, "alice")]
    found = point(*lines, version=1)
    assert (found.version, found.committed, found.attempt) == (1, {"alice": ((1, 10), 1)}, None)
    assert (
        point(*lines[:-1], version=1).attempt is None
    )  # its updates were counted, nobody holds them any more


def test_an_attempt_that_was_open_is_read_as_it_was_opened():
    found = point(FIRST, opened(0, "alice", "bob"), opened(0, "alice", "bob", attempt=2))
    assert found.attempt == OpenAttempt(round=1, number=2, goal=2)
    assert found.under_way == (part("alice", 0, 5, 0), part("bob", 1, 6, 0))
    assert point(FIRST, opened(0, "alice"), committed(1, "alice")).attempt is None


def test_who_joined_an_open_round_and_whoever_had_not_answered_when_it_closed_is_under_way():
    joins = journal_lines.enlisted(part("carol", 27, 3, 2))
    found = point(FIRST, opened(2, "alice", "bob"), joins, committed(2, "alice"))
    assert found.under_way == (part("bob", 21, 6, 2), part("carol", 27, 3, 2))


def test_an_attempt_that_an_older_version_of_zfed_opened_can_be_opened_again():
    line = {key: value for key, value in opened(0, "alice").items() if key not in ("goal", "orders")}
    found = point(FIRST, line)
    assert (found.attempt, found.under_way) == (
        OpenAttempt(round=1, number=1, goal=0),
        (part("alice", 0, 5, 0),),
    )


def test_evaluations_are_owed_until_they_are_done_or_skipped():
    first, own, second = owed(1), owed(1, "alice", "xxh3-128:ab"), owed(2)
    lines = [
        FIRST,
        committed(1, "alice", evaluations=(own, first)),
        committed(2, "alice", evaluations=(second,)),
    ]
    assert point(*lines).owed == (own, first, second)
    assert not point(*lines).evaluated
    done = point(*lines, evaluated(first))
    assert (done.owed, done.evaluated) == ((own, second), True)
    skipped = journal_lines.skipped(EvaluationSkipped(round=1, subject="alice", reason="gone"))
    assert point(*lines, skipped).owed == (first, second)


def test_who_did_not_say_goodbye_was_here():
    lines = [joined("alice"), joined("bob"), joined("carol"), joined("eva", "evaluator")]
    lines += [left("bob"), left("carol", left=False)]
    past = Past.read(map(through_json, lines), 0)
    assert past.here == {"alice", "carol", "eva"}
    assert past.kinds == {"alice": "worker", "bob": "worker", "carol": "worker", "eva": "evaluator"}
    assert past.point.present == ("alice", "carol")
    assert past.point.evaluator_seen


def test_an_evaluation_that_was_given_up_and_not_written_down_so_is_told_by_the_next_start():
    lines = [committed(version, evaluations=(owed(version),)) for version in range(1, 6)]
    past = Past.read([FIRST, *map(through_json, lines)], 5)
    assert list(past.given_up) == [(1, "federated")]
    assert [each.round for each in past.point.owed] == [2, 3, 4, 5]
    written = through_json(journal_lines.skipped(past.given_up[1, "federated"]))
    assert not Past.read([FIRST, *map(through_json, lines), written], 5).given_up


def refused(node, round, code="norm"):
    return journal_lines.refused(
        UpdateRefused(
            node=node,
            round=round,
            code=code,
            reason="too long",
            assignment=(1, round),
            tensor="w",
            seen="9",
            limit="8",
        )
    )


def test_a_refused_line_says_what_was_seen_and_what_was_allowed():
    assert through_json(refused("bob", 2)) == {
        "event": "refused",
        "node": "bob",
        "assignment": [1, 2],
        "round": 2,
        "code": "norm",
        "reason": "too long",
        "tensor": "w",
        "seen": "9",
        "limit": "8",
    }


def test_strikes_are_counted_but_for_what_was_stale_or_a_first_model():
    lines = [refused("bob", 0), FIRST, refused("bob", 1), refused("bob", 1, "stale"), refused("carol", 2)]
    assert dict(point(*lines).strikes) == {"bob": 1, "carol": 1}


def test_refused_lines_of_zfed_before_strikes_count_nothing():
    old = {"event": "refused", "node": "bob", "assignment": [1, 1], "code": "not-finite"}
    assert dict(point(FIRST, old).strikes) == {}


def test_the_norms_of_all_versions_are_known_and_of_older_zfed_as_0():
    before = committed(1, "alice")
    del before["norm"]
    assert point(FIRST, before, committed(2, "alice"), committed(3, "alice")).norms == (0.0, 1.0, 1.5)


@pytest.mark.parametrize("line", [committed(1, "alice"), evaluated(owed(1))])
def test_a_line_has_what_belongs_into_the_metrics(line):
    metrics = through_json(line)["metrics"]
    assert metrics["round"] == 1
    assert "per_worker" not in metrics


def test_bytes_are_those_counted_when_the_version_was_made():
    metrics = committed(1, "alice")["metrics"]
    assert (metrics["bytes_down"], metrics["bytes_up"]) == (7, 9)


def test_what_an_evaluator_was_asked_beside_the_workers_is_read_as_it_was():
    root = part("eva", 9, 50, 0)
    found = point(FIRST, opened(0, "alice", root=root))
    assert found.attempt.root == root
    assert found.under_way == (part("alice", 0, 5, 0),)
    found = point(FIRST, opened(0, "alice", root=root), committed(1, "alice", root=root))
    assert found.committed == {"alice": ((1, 10), 1), "eva": ((1, 9), 1)}


# ---- evaluations by workers ---------------------------------------------------------------------

ASKED = tuple(
    OwedEvaluation(assignment=(1, 40 + k), round=1, version=1, subject="workers", worker=node)
    for k, node in enumerate(("alice", "bob"))
)
ANSWER = EvaluationDone(node="alice", assignment=(1, 40), examples=3, metrics={"loss": 0.25})
SURVEYED = WorkersEvaluated(
    round=1, version=1, workers=["alice"], examples=3, metrics={"loss": 0.25}, spread={}, missing=[]
)


def test_workers_that_were_asked_owe_their_answers_under_the_same_numbers():
    assert point(FIRST, committed(1, "alice", evaluations=ASKED)).owed == ASKED


def test_a_worker_that_has_answered_owes_nothing_and_its_answer_is_known():
    found = point(FIRST, committed(1, "alice", evaluations=ASKED), journal_lines.answered(ANSWER, 1))
    assert found.owed == ASKED[1:]
    answer = WorkerAnswer(round=1, version=1, node="alice", examples=3, metrics={"loss": 0.25})
    assert found.answers == (answer,)


@pytest.mark.parametrize(
    "last",
    [
        journal_lines.surveyed(SURVEYED),
        journal_lines.skipped(EvaluationSkipped(round=1, subject="workers", reason="no")),
    ],
)
def test_when_a_survey_is_over_nothing_of_it_is_left(last):
    lines = [FIRST, committed(1, "alice", evaluations=ASKED), journal_lines.answered(ANSWER, 1), last]
    assert (point(*lines).owed, point(*lines).answers) == ((), ())


def test_what_was_found_is_known_in_its_order_with_its_version():
    evaluations = (owed(1), *ASKED)
    lines = [FIRST, committed(1, "alice", evaluations=evaluations)]
    lines += [journal_lines.surveyed(SURVEYED), evaluated(owed(1))]
    found = point(*lines).evaluations
    assert [(each.round, each.version, each.subject, each.metrics["loss"]) for each in found] == [
        (1, 1, "workers", 0.25),
        (1, 1, "federated", 0.25),
    ]


def test_answers_about_versions_that_cannot_be_used_are_void():
    lines = [FIRST, committed(1, "alice", evaluations=ASKED), journal_lines.answered(ANSWER, 1)]
    found = point(*lines, version=0)
    assert (found.owed, found.answers) == ((), ())
